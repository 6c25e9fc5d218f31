import type { AdmitResult, WindowLimit } from "../store.ts";
import type { AdmissionRing } from "./admission-ring.ts";

/** The limiter's windows in memory: the sliding-window log of admit.lua. */
export interface Windows {
  /**
   * @param wanted  requests of this client, at least 1, decided one after the other
   * @throws Error when other processes were faster, each time
   */
  admit(client: string, wanted?: number): AdmitResult;
  /**
   * Counts an admission that was granted elsewhere, whatever the limit. For windows that no other
   * process shares.
   * @param atMs  when, on the clock of the windows, and not before any other of the client
   */
  note(client: string, atMs: number): void;
}

/** A process that was faster has admitted a client of the same bucket: some nanoseconds' work. */
const TRIES_MAX = 1_000;

export interface WindowsOptions {
  limit: WindowLimit;
  ring: AdmissionRing;
  /** Monotonic clock, milliseconds with fractions, and the same for all who share the ring. */
  now?: () => number;
  /**
   * How much later than `now` tells it may be, milliseconds. Nothing leaves a window before its
   * time; it may leave so much later.
   */
  doubtMs?: number;
}

export function createWindows(options: WindowsOptions): Windows {
  const { limit, ring, now = () => performance.now(), doubtMs = 0 } = options;
  const { max, windowMs } = limit;

  function admit(client: string, wanted = 1): AdmitResult {
    let result = admitOne(client);
    let { granted } = result;
    while (granted < wanted && result.granted === 1) {
      result = admitOne(client);
      granted += result.granted;
    }
    return wanted === 1 ? result : { ...result, granted };
  }

  function admitOne(client: string): AdmitResult {
    const nowMs = now();
    const known = append(client, nowMs);
    const granted = known < max ? 1 : 0;
    // Full while the newest `max` admissions are in the window: `note` may have gone beyond.
    const blockerMs = known > 0 ? ring.timeOf(Math.min(known, max)) : nowMs;
    return {
      granted,
      remaining: Math.max(0, max - known - granted),
      resetMs: Math.min(windowMs, windowMs - (nowMs - blockerMs)),
    };
  }

  /**
   * Adds an admission, unless the client has `max` in its window.
   * @returns how many it had before
   */
  function append(client: string, nowMs: number): number {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const known = ring.lookUp(client, nowMs, windowMs);
      if (known >= max) return known;
      const newestMs = known > 0 ? ring.timeOf(1) : 0;
      // Not before the newest, which another process's clock may have put later.
      if (ring.append(Math.max(nowMs + doubtMs, newestMs))) return known;
    }
    throw new Error(`windows: lost ${TRIES_MAX} races`);
  }

  return { admit, note: (client, atMs) => ring.note(client, atMs + doubtMs) };
}
