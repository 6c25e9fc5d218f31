/** A bound on how long a handler may take, without a timer per request. */
export interface Deadlines {
  /** Settles as `work` does, or with `onExpired()` when the budget is over first. */
  guard<T>(work: Promise<T>, onExpired: () => T): Promise<T>;
  stop(): void;
}

/** One that waits, between the one that began before it and the one that began after. */
interface Guarded {
  expiresAtMs: number;
  expire: () => void;
  before: Guarded;
  after: Guarded;
}

/**
 * @param budgetMs  the same for every request, so that those that began first expire first
 * @param everyMs   how often is looked, and so how late an expiry may be
 */
export function createDeadlines(
  budgetMs: number,
  everyMs = 50,
  now: () => number = () => performance.now(),
): Deadlines {
  // Both ends of the list. Who settles leaves it at once: it holds the whole request in memory.
  const ends = { expiresAtMs: Number.POSITIVE_INFINITY, expire() {} } as Guarded;
  ends.before = ends;
  ends.after = ends;
  const timer = setInterval(sweep, everyMs);

  function sweep(): void {
    const nowMs = now();
    while (ends.after.expiresAtMs <= nowMs) {
      const { after: expired } = ends;
      leave(expired);
      expired.expire();
    }
  }

  function enter(expire: () => void): Guarded {
    const last = ends.before;
    const guarded = { expiresAtMs: now() + budgetMs, expire, before: last, after: ends };
    last.after = guarded;
    ends.before = guarded;
    return guarded;
  }

  /** Once more does no harm: one that has left stands between itself. */
  function leave(guarded: Guarded): void {
    const { before, after } = guarded;
    before.after = after;
    after.before = before;
    guarded.before = guarded;
    guarded.after = guarded;
  }

  function guard<T>(work: Promise<T>, onExpired: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const guarded = enter(() => resolve(onExpired()));
      work.then(
        (value) => {
          leave(guarded);
          resolve(value);
        },
        (fault) => {
          leave(guarded);
          reject(fault);
        },
      );
    });
  }

  return { guard, stop: () => clearInterval(timer) };
}
