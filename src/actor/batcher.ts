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
  /** @throws MailboxFullError, the message's own error, or what `handle` rejected with. */
  ask(message: Message): Promise<Reply>;
  hasRoom(): boolean;
  /** Messages waiting or in flight. */
  depth(): number;
}

interface Waiter<Message, Reply> {
  message: Message;
  resolve: (reply: Reply) => void;
  reject: (fault: unknown) => void;
}

export function createBatcher<Message, Reply>(
  options: BatcherOptions<Message, Reply>,
): Batcher<Message, Reply> {
  const { name, capacity, batchMax, handle, paceMs = 0 } = options;
  const { schedule = callLater, now = () => performance.now() } = options;
  let waiting: Waiter<Message, Reply>[] = [];
  let inFlight = 0;
  let isScheduled = false;
  /** Messages that waited a turn ago. */
  let collected = 0;
  let sentAtMs = Number.NEGATIVE_INFINITY;

  const depth = () => waiting.length + inFlight;
  const hasRoom = () => depth() < capacity;

  function ask(message: Message): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!hasRoom()) return reject(new MailboxFullError(`${name}: ${capacity} waiting`));
      waiting.push({ message, resolve, reject });
      if (inFlight === 0 && !isScheduled) scheduleSend();
    });
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
    const batch = waiting.length > batchMax ? waiting.splice(0, batchMax) : waiting;
    if (batch === waiting) waiting = [];
    inFlight = batch.length;
    // Inside a promise, so that a handler that throws at once rejects its batch and no more.
    new Promise<readonly (Reply | Error)[]>((resolve) => {
      resolve(handle(batch.map((waiter) => waiter.message)));
    }).then(
      (replies) => settle(batch, replies),
      (fault) => settle(batch, undefined, fault),
    );
  }

  function settle(
    batch: Waiter<Message, Reply>[],
    replies: readonly (Reply | Error)[] | undefined,
    fault?: unknown,
  ): void {
    inFlight = 0;
    batch.forEach(({ resolve, reject }, i) => {
      const reply = replies?.[i];
      if (reply === undefined) reject(fault ?? new Error(`${name}: no reply for message ${i}`));
      else if (reply instanceof Error) reject(reply);
      else resolve(reply);
    });
    // Whoever asks once more on being answered is in the next batch already.
    if (waiting.length > 0) scheduleSend();
  }

  return { ask, hasRoom, depth };
}

function callLater(run: () => void, ms: number): void {
  if (ms > 0) setTimeout(run, ms);
  else setImmediate(run);
}
