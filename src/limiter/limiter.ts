import { type Asker, createBatcher } from "../actor/batcher.ts";
import type { AdmitEntry } from "../store/store.ts";
import type { DenyCache } from "./deny-cache.ts";
import type { GuardedResult } from "./fallback.ts";

/** Whether one request of a client may go on. */
export interface Verdict {
  readonly isAdmitted: boolean;
  /** Admissions left in the window after this one. */
  readonly remaining: number;
  /** Milliseconds, with fractions, until the client gets more; above 0. */
  readonly resetMs: number;
}

export interface LimiterOptions {
  admit: (entries: readonly AdmitEntry[]) => Promise<readonly GuardedResult[]>;
  denied: DenyCache;
  /** Most requests that wait for a verdict. */
  capacity: number;
  /** Most requests in one call of the store. */
  batchMax?: number;
  /** Monotonic clock, milliseconds; the one that `denied` reads. */
  now?: () => number;
  /** As of the batcher. */
  schedule?: (send: () => void, ms: number) => void;
}

/**
 * Between two calls of the store. It answers sooner than that, and so would be asked about a bid or
 * two at a time, and most of what a call costs does not depend on how many it is about.
 */
export const PACE_MS = 1;
/** Most requests in one call of the store, unless told otherwise. */
export const BATCH_MAX = 128;

/** Decides which requests go on. */
export interface Limiter {
  /** The verdict where it is at hand, else undefined: then `ask`. Never throws. */
  admit(client: string): Verdict | undefined;
  /**
   * Tells the verdict when there is one, maybe before it returns. A fault is MailboxFullError, or
   * what kept the store or the windows from a verdict.
   */
  ask(client: string, asker: Asker<Verdict>): void;
  hasRoom(): boolean;
}

/** The limiter actor: everyone who waits in its mailbox is admitted by one call of the store. */
export function createLimiter(options: LimiterOptions): Limiter {
  const { admit: admitInStore, denied, capacity, batchMax = BATCH_MAX, schedule } = options;
  const { now = () => performance.now() } = options;
  const batcher = createBatcher<string, Verdict>({
    name: "limiter",
    capacity,
    batchMax,
    handle: decide,
    paceMs: PACE_MS,
    now,
    ...(schedule && { schedule }),
  });

  function admit(client: string): Verdict | undefined {
    const waitMs = denied.waitMs(client);
    return waitMs > 0 ? { isAdmitted: false, remaining: 0, resetMs: waitMs } : undefined;
  }

  async function decide(clients: readonly string[]): Promise<Verdict[]> {
    const places = new Map<string, number>();
    const entries: { client: string; wanted: number }[] = [];
    const placeOf = clients.map((client) => {
      const known = places.get(client);
      if (known === undefined) {
        places.set(client, entries.length);
        return entries.push({ client, wanted: 1 }) - 1;
      }
      entries[known]!.wanted++;
      return known;
    });
    const askedAtMs = now();
    const results = await admitInStore(entries);
    entries.forEach(({ client }, place) => {
      const { remaining, isLocal, resetMs } = results[place]!;
      // Full, whether by these requests or before them: nothing fits until the oldest leaves.
      if (remaining === 0 && !isLocal) denied.deny(client, askedAtMs, resetMs);
    });
    const given = new Array<number>(entries.length).fill(0);
    return placeOf.map((place) => nextVerdict(results[place]!, given[place]!++));
  }

  return { admit, ask: batcher.ask, hasRoom: batcher.hasRoom };
}

/**
 * Requests of one client in one batch share a result: the first ones get its admissions.
 * @param given  verdicts of it that were handed out before
 */
function nextVerdict({ granted, remaining, resetMs }: GuardedResult, given: number): Verdict {
  if (given >= granted) return { isAdmitted: false, remaining: 0, resetMs };
  return { isAdmitted: true, remaining: remaining + granted - given - 1, resetMs };
}
