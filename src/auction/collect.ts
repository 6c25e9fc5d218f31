import type { AuctionEnd, BidResponse } from "./bidder.ts";

/** An answer that is still to come. */
export interface LateAnswer {
  /** Place among those who were asked. */
  readonly index: number;
  readonly answer: Promise<BidResponse>;
  /** Whether the auction waits for it. */
  readonly isAwaited: boolean;
}

interface CollectOptions {
  readonly late: readonly LateAnswer[];
  readonly leftMs: number;
  readonly setTimer: (wake: () => void, ms: number) => unknown;
  readonly clearTimer: (timer: unknown) => void;
  readonly onClientGone: (listener: () => void) => void;
  /** Told of each answer that comes before the end, never of one that comes after it. */
  readonly onAnswer: (index: number, answer: BidResponse) => void;
  readonly onFault: (fault: unknown) => void;
}

/**
 * Resolves when everyone who is waited for has answered, `leftMs` are over, or the client has gone,
 * whichever is first: at once where nobody is waited for. A rejection is an error of that bidder
 * alone.
 */
export function collect(options: CollectOptions): Promise<AuctionEnd> {
  const { late, leftMs, setTimer, clearTimer, onClientGone, onAnswer, onFault } = options;
  return new Promise((resolve) => {
    let awaited = late.filter(({ isAwaited }) => isAwaited).length;
    let isOver = false;
    const timer = setTimer(() => end("deadline"), leftMs);
    onClientGone(() => end("abandoned"));

    function end(why: AuctionEnd): void {
      if (isOver) return;
      isOver = true;
      clearTimer(timer);
      resolve(why);
    }

    function take({ index, isAwaited }: LateAnswer, answer: BidResponse): void {
      if (isOver) return;
      onAnswer(index, answer);
      if (isAwaited && --awaited === 0) end("decided");
    }

    for (const one of late) {
      one.answer.then(
        (answer) => take(one, answer),
        (fault) => {
          onFault(fault);
          take(one, { kind: "error", reason: "our fault" });
        },
      );
    }
    if (awaited === 0) end("decided");
  });
}
