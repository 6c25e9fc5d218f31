import type { AdmitEntry, AdmitResult, WindowLimit } from "../store.ts";

/** Most clients remembered. Beyond it the client that was admitted longest ago is forgotten. */
const CLIENTS_MAX = 1_000_000;

/** The limiter's windows in memory, for one host: the sliding-window log of admit.lua. */
export interface Windows {
  admit(entries: readonly AdmitEntry[]): AdmitResult[];
  /** Clients remembered. */
  size(): number;
}

/** @param now  monotonic clock, milliseconds with fractions */
export function createWindows(
  { max, windowMs }: WindowLimit,
  now: () => number = () => performance.now(),
  clientsMax = CLIENTS_MAX,
): Windows {
  // In order of the last admission, oldest first, each with its admissions, oldest first.
  const admissions = new Map<string, number[]>();

  /** Two steps a call keep the table near the number of live clients, without a sweep. */
  function dropExpired(nowMs: number): void {
    let looked = 0;
    for (const [client, times] of admissions) {
      const isExpired = times[times.length - 1]! <= nowMs - windowMs;
      if (!isExpired && admissions.size <= clientsMax) return;
      admissions.delete(client);
      if (++looked === 2) return;
    }
  }

  function admitOne({ client, wanted }: AdmitEntry, nowMs: number): AdmitResult {
    const times = admissions.get(client) ?? [];
    while (times.length > 0 && times[0]! <= nowMs - windowMs) times.shift();
    const granted = Math.max(0, Math.min(wanted, max - times.length));
    for (let i = 0; i < granted; i++) times.push(nowMs);
    if (granted > 0) {
      admissions.delete(client); // Set again at the end: the order is by last admission.
      admissions.set(client, times);
      dropExpired(nowMs);
    }
    return {
      granted,
      remaining: Math.max(0, max - times.length),
      resetMs: times[0]! + windowMs - nowMs,
    };
  }

  function admit(entries: readonly AdmitEntry[]): AdmitResult[] {
    const nowMs = now();
    return entries.map((entry) => admitOne(entry, nowMs));
  }

  return { admit, size: () => admissions.size };
}
