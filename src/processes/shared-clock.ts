/** One monotonic clock for all processes of this host: the supervisor's. */
export interface SharedClock {
  /** Milliseconds, with fractions: not before `doubtMs` ago, and not after this moment. */
  now(): number;
  /** Milliseconds, 0 or more. */
  readonly doubtMs: number;
}

const READINGS = 5;

/**
 * A process's own clock begins with it. What the other one's says was read between question and
 * answer, so the quickest of some answers tells it best.
 * @param ask  reads the other clock
 * @throws what `ask` rejects with
 */
export async function readSharedClock(
  ask: () => Promise<number>,
  now: () => number = () => performance.now(),
): Promise<SharedClock> {
  let aheadMs = 0;
  let doubtMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < READINGS; i++) {
    const askedMs = now();
    const theirsMs = await ask();
    const answeredMs = now();
    if (answeredMs - askedMs >= doubtMs) continue;
    doubtMs = answeredMs - askedMs;
    aheadMs = theirsMs - answeredMs;
  }
  return { now: () => now() + aheadMs, doubtMs };
}
