/** At once, a tenth of a second's calls may go. */
const BURST_SECONDS = 0.1;

/** How many calls a second a bidder wants: a token bucket. */
export interface Quota {
  /** Takes one call from it; false when there is none. */
  take(): boolean;
}

/**
 * @param perSecond  above 0; less than one is a call every few seconds
 * @param now        monotonic clock, milliseconds
 */
export function createQuota(perSecond: number, now: () => number = () => performance.now()): Quota {
  const most = Math.max(1, perSecond * BURST_SECONDS);
  let left = most;
  let filledAtMs = now();

  function take(): boolean {
    const nowMs = now();
    left = Math.min(most, left + ((nowMs - filledAtMs) * perSecond) / 1_000);
    filledAtMs = nowMs;
    if (left < 1) return false;
    left--;
    return true;
  }

  return { take };
}
