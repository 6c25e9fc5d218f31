import { createGenerations } from "../generations.ts";
import type { AdmitEntry, AdmitResult, PastAdmissions, WindowLimit } from "../store.ts";

/** Most clients remembered. Beyond it the half that was admitted longest ago is forgotten. */
const CLIENTS_MAX = 2_000_000;

/** The limiter's windows in memory, for one host: the sliding-window log of admit.lua. */
export interface Windows {
  admit(entries: readonly AdmitEntry[]): AdmitResult[];
  /**
   * Counts an admission that was granted elsewhere, whatever the limit.
   * @param atMs  when that was, on the clock of these windows: not before what the client has here
   */
  note(client: string, atMs: number): void;
  /**
   * Counts admissions that were granted elsewhere some time ago, up to the limit. A repetition may
   * count one twice, never beyond the limit.
   */
  restore(past: readonly PastAdmissions[]): void;
  /** Clients remembered. */
  size(): number;
}

/** @param now  monotonic clock, milliseconds with fractions */
export function createWindows(
  { max, windowMs }: WindowLimit,
  now: () => number = () => performance.now(),
  clientsMax = CLIENTS_MAX,
): Windows {
  const admissions = createGenerations<number[]>(clientsMax); // Each client's, oldest first.
  let turnedAtMs = now();

  /** The client's admissions that are still in the window; not yet in the table when new. */
  function current(client: string, nowMs: number): number[] {
    const times = admissions.get(client) ?? [];
    while (times.length > 0 && nowMs - times[0]! >= windowMs) times.shift();
    return times;
  }

  function put(client: string, times: number[], nowMs: number): void {
    // What was not admitted again for a whole window has left it.
    if (nowMs - turnedAtMs >= windowMs) {
      admissions.turn();
      turnedAtMs = nowMs;
    }
    if (admissions.set(client, times)) turnedAtMs = nowMs;
  }

  function admitOne({ client, wanted }: AdmitEntry, nowMs: number): AdmitResult {
    const times = current(client, nowMs);
    const granted = Math.max(0, Math.min(wanted, max - times.length));
    for (let i = 0; i < granted; i++) times.push(nowMs);
    if (granted > 0) put(client, times, nowMs);
    // Full while the newest `max` admissions are in the window: `note` may have gone beyond.
    const blocker = times[Math.max(0, times.length - max)]!;
    return {
      granted,
      remaining: Math.max(0, max - times.length),
      resetMs: windowMs - (nowMs - blocker), // In this order never above the window.
    };
  }

  function admit(entries: readonly AdmitEntry[]): AdmitResult[] {
    const nowMs = now();
    return entries.map((entry) => admitOne(entry, nowMs));
  }

  function note(client: string, atMs: number): void {
    if (now() - atMs >= windowMs) return;
    const times = current(client, atMs);
    times.push(atMs);
    put(client, times, atMs);
  }

  function restore(past: readonly PastAdmissions[]): void {
    const nowMs = now();
    for (const { client, admissions: old } of past) {
      const restored = old.map(({ ageMs }) => nowMs - ageMs).filter((at) => nowMs - at < windowMs);
      if (restored.length === 0) continue;
      const times = [...current(client, nowMs), ...restored].sort((a, b) => a - b);
      put(client, times.slice(-max), nowMs);
    }
  }

  return { admit, note, restore, size: admissions.size };
}
