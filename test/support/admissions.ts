import { isHeld } from "./ledger.ts";
import type { TimedEntry } from "./steady-load.ts";

/**
 * The most admissions that one client was certainly given within one window. An admission lies
 * between the sending of its bid and the answer, so what may have been apart counts as apart.
 */
export function mostAdmitted(answered: readonly TimedEntry[], windowMs: number): number {
  const byClient = new Map<string | undefined, TimedEntry[]>();
  for (const entry of answered.filter(isHeld)) {
    const own = byClient.get(entry.client) ?? [];
    byClient.set(entry.client, own);
    own.push(entry);
  }
  return Math.max(0, ...[...byClient.values()].map((own) => mostInWindow(own, windowMs)));
}

/** A window that begins at the earliest moment some admission may have had holds the others. */
function mostInWindow(admitted: readonly TimedEntry[], windowMs: number): number {
  const isInside = (from: number) => (entry: TimedEntry) =>
    entry.sentMs >= from && entry.answeredMs < from + windowMs;
  return Math.max(...admitted.map(({ sentMs }) => admitted.filter(isInside(sentMs)).length));
}
