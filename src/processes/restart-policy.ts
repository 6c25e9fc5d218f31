const BACKOFF_LEAST_MS = 100;
const BACKOFF_MOST_MS = 5_000;
const CRASHES_MAX = 5;
const CRASH_WINDOW_MS = 60_000;
/** A worker that served this long shows that it can: the back-off begins anew. */
const HEALTHY_MS = 10_000;
/** One that was ended from outside after serving this long did not crash. */
const LIVED_MS = 1_000;
const SIGNALS_FROM_OUTSIDE = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"];

export interface WorkerEnd {
  code: number | null;
  signal: string | null;
  /** Milliseconds since it was ready; 0 when it never was. */
  servedMs: number;
}

export type RestartDecision = { restartAfterMs: number } | "give up";

/**
 * When to replace a worker: after 0.1 s, doubling to 5 s, and no more after five crashes within a
 * minute. A crash is a worker that ended itself with an error, or died before it served for a
 * second; a kill from outside (an operator, the kernel's OOM killer) is replaced without counting.
 * @param now  monotonic clock, milliseconds
 */
export function createRestartPolicy(now: () => number = () => performance.now()) {
  let crashesAtMs: number[] = [];
  let backoffMs = BACKOFF_LEAST_MS;

  return function decide({ code, signal, servedMs }: WorkerEnd): RestartDecision {
    const nowMs = now();
    // Status 0 is a worker that was told to stop, and did.
    const isToldTo = code === 0 || SIGNALS_FROM_OUTSIDE.includes(signal ?? "");
    const isKilled = isToldTo && servedMs >= LIVED_MS;
    if (!isKilled) crashesAtMs.push(nowMs);
    crashesAtMs = crashesAtMs.filter((atMs) => atMs > nowMs - CRASH_WINDOW_MS);
    if (crashesAtMs.length >= CRASHES_MAX) return "give up";
    if (servedMs >= HEALTHY_MS || isKilled) backoffMs = BACKOFF_LEAST_MS;
    const restartAfterMs = backoffMs;
    backoffMs = Math.min(backoffMs * 2, BACKOFF_MOST_MS);
    return { restartAfterMs };
  };
}
