import { MailboxFullError } from "./actor.ts";

export interface BatcherOptions<Message, Reply> {
  name: string;
  /** Most messages that may wait or be in flight, at least 1. */
  capacity: number;
  /** Most messages in one batch, at least 1. */
  batchMax: number;
  /**
   * Answers a whole batch, one reply per message in the same order. An `Error` in a place fails
   * that message alone; a rejection fails the batch.
   */
  handle: (batch: readonly Message[]) => Promise<readonly (Reply | Error)[]>;
  /** Least milliseconds from one batch to the next, so that under load they are large. */
  paceMs?: number;
  /** Calls back after so many milliseconds; 0: a turn of the event loop later. */
  schedule?: (send: () => void, ms: number) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
}

/**
 * An actor whose mailbox is the batch: while one batch is in flight, the next collects. It leaves
 * when a turn of the event loop has brought nobody new, and `paceMs` after the one before it, so it
 * grows with the load, and at no load nobody waits.
 */
export interface Batcher<Message, Reply> {
  /** A fault is MailboxFullError, the message's own error, or what `handle` rejected with. */
  ask(message: Message, asker: Asker<Reply>): void;
  hasRoom(): boolean;
  /** Messages waiting or in flight. */
  depth(): number;
}

/**
 * Who asks. Told once, by one of the two, which costs less than a promise. Neither may throw: those
 * behind it in the batch would not be told.
 */
export interface Asker<Reply> {
  onReply(reply: Reply): void;
  onFault(fault: unknown): void;
}

export function createBatcher<Message, Reply>(
  options: BatcherOptions<Message, Reply>,
): Batcher<Message, Reply> {
  const { name, capacity, batchMax, handle, paceMs = 0 } = options;
  const { schedule = callLater, now = () => performance.now() } = options;
  let waiting: Message[] = [];
  /** Those who ask, in the order of `waiting`. */
  let askers: Asker<Reply>[] = [];
  let inFlight = 0;
  let isScheduled = false;
  /** Messages that waited a turn ago. */
  let collected = 0;
  let sentAtMs = Number.NEGATIVE_INFINITY;

  const depth = () => waiting.length + inFlight;
  const hasRoom = () => depth() < capacity;

  function ask(message: Message, asker: Asker<Reply>): void {
    if (!hasRoom()) return asker.onFault(new MailboxFullError(`${name}: ${capacity} waiting`));
    waiting.push(message);
    askers.push(asker);
    if (inFlight === 0 && !isScheduled) scheduleSend();
  }

  function scheduleSend(): void {
    isScheduled = true;
    collected = waiting.length;
    const restMs = sentAtMs + paceMs - now();
    if (restMs > 0 && collected < batchMax) schedule(send, restMs);
    else schedule(sendWhenQuiet, 0);
  }

  function sendWhenQuiet(): void {
    const isGrowing = waiting.length > collected && waiting.length < batchMax;
    if (isGrowing) scheduleSend();
    else send();
  }

  function send(): void {
    isScheduled = false;
    sentAtMs = now();
    const [batch, asking] = [waiting, askers];
    waiting = batch.splice(batchMax);
    askers = asking.splice(batchMax);
    inFlight = batch.length;
    // Inside a promise, so that a handler that throws at once rejects its batch and no more.
    new Promise<readonly (Reply | Error)[]>((resolve) => resolve(handle(batch))).then(
      (replies) => settle(asking, replies),
      (fault) => settle(asking, undefined, fault),
    );
  }

  function settle(
    asking: readonly Asker<Reply>[],
    replies: readonly (Reply | Error)[] | undefined,
    fault?: unknown,
  ): void {
    inFlight = 0;
    asking.forEach((asker, i) => {
      const reply = replies?.[i];
      const isReply = reply !== undefined && !(reply instanceof Error);
      if (isReply) asker.onReply(reply);
      else asker.onFault(reply ?? fault ?? new Error(`${name}: no reply for message ${i}`));
    });
    // Not where one has asked again on being told: it has seen to that.
    if (waiting.length > 0 && !isScheduled) scheduleSend();
  }

  return { ask, hasRoom, depth };
}

function callLater(run: () => void, ms: number): void {
  if (ms > 0) setTimeout(run, ms);
  else setImmediate(run);
}
