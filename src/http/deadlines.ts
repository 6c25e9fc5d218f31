/** A bound on how long a handler may take, without a timer per request. */
export interface Deadlines {
  /** Settles as `work` does, or with `onExpired()` when the budget is over first. */
  guard<T>(work: Promise<T>, onExpired: () => T): Promise<T>;
  stop(): void;
}

interface Guarded {
  expiresAtMs: number;
  isSettled: boolean;
  expire: () => void;
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
  // Settled ones leave when they come to the front: at most one budget's worth of requests.
  let waiting: Guarded[] = [];
  const timer = setInterval(sweep, everyMs);

  function sweep(): void {
    const nowMs = now();
    let gone = 0;
    for (const guarded of waiting) {
      if (!guarded.isSettled && guarded.expiresAtMs > nowMs) break;
      if (!guarded.isSettled) guarded.expire();
      gone++;
    }
    if (gone > 0) waiting = waiting.slice(gone);
  }

  function guard<T>(work: Promise<T>, onExpired: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const guarded: Guarded = {
        expiresAtMs: now() + budgetMs,
        isSettled: false,
        expire() {
          guarded.isSettled = true;
          resolve(onExpired());
        },
      };
      waiting.push(guarded);
      work.then(
        (value) => {
          guarded.isSettled = true;
          resolve(value);
        },
        (fault) => {
          guarded.isSettled = true;
          reject(fault);
        },
      );
    });
  }

  return { guard, stop: () => clearInterval(timer) };
}
