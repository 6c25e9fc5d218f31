import { createGenerations } from "./generations.ts";

/** Clients that are known to be over their limit, and until when. */
export interface DenyCache {
  /** Milliseconds until the client may be admitted again; 0 when it must be asked about. */
  waitMs(client: string): number;
  /**
   * Remembers that nothing is admitted for `waitMs` from the moment the store was asked.
   * @param askedAtMs  on the clock of this cache, read before the call was sent: the store decided
   *   later than that, so the time is never too long
   */
  deny(client: string, askedAtMs: number, waitMs: number): void;
  size(): number;
}

/** Our clock may run this much slower than the store's. */
const DRIFT = 0.0005;

/**
 * Refusing from memory is exact, not a guess: until the oldest admission leaves the window it stays
 * full, and refusals add nothing to it.
 * @param clientsMax  beyond it the half denied longest ago is dropped, and those are asked about
 * @param now         monotonic clock, milliseconds
 */
export function createDenyCache(
  clientsMax = 65_536,
  now: () => number = () => performance.now(),
): DenyCache {
  const untilMs = createGenerations<number>(clientsMax);

  function waitMs(client: string): number {
    const until = untilMs.get(client);
    if (until === undefined) return 0;
    const left = until - now();
    if (left > 0) return left;
    untilMs.delete(client);
    return 0;
  }

  function deny(client: string, askedAtMs: number, forMs: number): void {
    untilMs.set(client, askedAtMs + forMs * (1 - DRIFT));
  }

  return { waitMs, deny, size: untilMs.size };
}
