import { createBatcher } from "../actor/batcher.ts";
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
  schedule?: (send: () => void) => void;
}

/** The limiter actor: everyone who waits in its mailbox is admitted by one call of the store. */
export interface Limiter {
  /**
   * The verdict at once where it is known, else when the store has answered.
   * @throws MailboxFullError, or what the store rejected with
   */
  admit(client: string): Verdict | Promise<Verdict>;
  hasRoom(): boolean;
  depth(): number;
  drain(): Promise<void>;
}

export function createLimiter(options: LimiterOptions): Limiter {
  const { admit: ask, denied, capacity, batchMax = 128, schedule } = options;
  const { now = () => performance.now() } = options;
  const batcher = createBatcher<string, Verdict>({
    name: "limiter",
    capacity,
    batchMax,
    handle: decide,
    ...(schedule && { schedule }),
  });

  function admit(client: string): Verdict | Promise<Verdict> {
    const waitMs = denied.waitMs(client);
    if (waitMs > 0) return { isAdmitted: false, remaining: 0, resetMs: waitMs };
    return batcher.ask(client);
  }

  async function decide(clients: readonly string[]): Promise<Verdict[]> {
    const wanted = new Map<string, number>();
    for (const client of clients) wanted.set(client, (wanted.get(client) ?? 0) + 1);
    const entries = [...wanted].map(([client, count]) => ({ client, wanted: count }));
    const askedAtMs = now();
    const results = await ask(entries);
    const open = new Map<string, OpenResult>();
    entries.forEach(({ client }, i) => {
      const result = results[i]!;
      // Full, whether by these requests or before them: nothing fits until the oldest leaves.
      if (result.remaining === 0 && !result.isLocal) denied.deny(client, askedAtMs, result.resetMs);
      open.set(client, { ...result, given: 0 });
    });
    return clients.map((client) => nextVerdict(open.get(client)!));
  }

  return { admit, hasRoom: batcher.hasRoom, depth: batcher.depth, drain: batcher.drain };
}

type OpenResult = GuardedResult & {
  /** Verdicts already handed out. */
  given: number;
};

/** Requests of one client in one batch share a result: the first ones get its admissions. */
function nextVerdict(result: OpenResult): Verdict {
  const { granted, resetMs } = result;
  if (result.given === granted) return { isAdmitted: false, remaining: 0, resetMs };
  result.given++;
  const remaining = result.remaining + granted - result.given;
  return { isAdmitted: true, remaining, resetMs };
}
