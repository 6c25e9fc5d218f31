/** One client in an admission batch. */
export interface AdmitEntry {
  /** Canonical client key. */
  readonly client: string;
  /** Requests of this client in the batch, at least 1. */
  readonly wanted: number;
}

/** The verdict on one client of a batch. */
export interface AdmitResult {
  /** How many of the wanted requests are admitted, 0 to `wanted`; the earliest ones are. */
  readonly granted: number;
  /** Admissions left in the window after these. */
  readonly remaining: number;
  /** Milliseconds, with fractions, until one more fits, at most the window; above 0. */
  readonly resetMs: number;
}

/** Admissions of one client that were made without the store. */
export interface PastAdmissions {
  readonly client: string;
  /** Unique to each admission, and the same when the call is repeated. */
  readonly admissions: readonly { readonly id: string; readonly ageMs: number }[];
}

/** What a producer's auctions of the ordinals (from, to] add to one supply's counters. */
export interface SupplyIncrements {
  readonly supplyId: string;
  readonly from: number;
  readonly to: number;
  /** Field of the supply's counters and what to add, a whole number above 0. */
  readonly increments: ReadonlyMap<string, number>;
}

/**
 * Where the store now stands with the producer at this supply: `to` when the increments were
 * applied, else the place to go on from. An `Error`: refused without a write.
 */
export type ApplyReply = number | Error;

/** The counters of one supply: field and decimal digits, exact beyond 2^53. */
export type Counters = ReadonlyMap<string, string>;

/** The increments would break a counter, or the key holds something else. Nothing was written. */
export class CounterError extends Error {
  override name = "CounterError";
}

/**
 * Where the windows live, if not in the memory of this host. A call may be repeated: at worst it
 * costs a client a place in its window. Calls reject when the store does not answer.
 */
export interface WindowStore {
  /** Sliding-window log: a request is admitted if fewer than the limit were in the window. */
  admit(entries: readonly AdmitEntry[]): Promise<readonly AdmitResult[]>;
  /** Puts admissions into the windows that were made while the store did not answer. */
  restore(past: readonly PastAdmissions[]): Promise<void>;
  close(): void;
}

/**
 * Where the counters live. Every call may be repeated: `apply` never counts twice. Calls reject
 * when the store does not answer.
 */
export interface CounterStore {
  /** Adds where the stored offset of `producer` equals `from`: compare and set, per supply. */
  apply(producer: string, batch: readonly SupplyIncrements[]): Promise<readonly ApplyReply[]>;
  /** Counters of the supplies named, or of every supply that was ever counted. */
  read(supplyIds?: readonly string[]): Promise<ReadonlyMap<string, Counters>>;
  /** Drops the offsets of a producer that will never write again. */
  forget(producer: string, supplyIds: readonly string[]): Promise<void>;
  /** Resolves when the store answers. */
  ping(): Promise<void>;
  close(): void;
}

/** The limiter's setting, as the stores need it. */
export interface WindowLimit {
  /** Admissions per window, at least 1. */
  readonly max: number;
  readonly windowMs: number;
}

/** How long a start waits for a store that does not answer yet, milliseconds. */
export const STORE_WAIT_MS = 2_000;
const ASK_EVERY_MS = 25;

/** Whether the store answers within the time: one that is just connecting needs a moment. */
export async function answersWithin(
  store: Pick<CounterStore, "ping">,
  waitMs: number,
): Promise<boolean> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const isThere = await store.ping().then(
      () => true,
      () => false,
    );
    if (isThere || performance.now() >= untilMs) return isThere;
    await Bun.sleep(ASK_EVERY_MS);
  }
}
