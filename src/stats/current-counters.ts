import { offsetField } from "../store/counters.ts";
import type { CounterStore, Counters } from "../store/store.ts";
import type { JournalFolder } from "./journal.ts";
import type { JournalHeader } from "./ring.ts";
import type { RingCopy } from "./ring-copy.ts";
import { type SupplyTally, tallyRecords } from "./tally.ts";

export interface CurrentCountersOptions {
  journals: Pick<JournalFolder, "producers" | "copy">;
  store: Pick<CounterStore, "apply" | "read">;
  /**
   * Resolves when every process of this host has counted what it had recorded before the call.
   * @param isStoreBack  the store holds less than it confirmed: it is to be asked for all of it
   */
  countAll: (isStoreBack: boolean) => Promise<void>;
  /** Runs something once the answer is on its way. */
  later?: (run: () => void) => void;
}

/**
 * The counters of the store, with all that this host has recorded. What the store lacks is added
 * from the journals, without waking the processes that write them, and counted for them right
 * after: whoever else counts the same, it is counted once.
 */
export interface CurrentCounters {
  /**
   * Whatever was recorded before the call is in the answer.
   * @throws Error when the store does not answer, or a process that has to count cannot
   */
  read: CounterStore["read"];
}

/** A journal as it was before the store was read. */
interface Glance {
  readonly producer: string;
  readonly copy: RingCopy;
  readonly header: JournalHeader;
}

/** What is done before each try: nothing, then what is needed for counters that are not whole. */
const REMEDIES = ["none", "count", "recheck"] as const;
/** Added up in one turn of the event loop, some milliseconds. Of more the producer counts first. */
const MISSING_WORDS_MAX = 2 ** 18;

export function createCurrentCounters(options: CurrentCountersOptions): CurrentCounters {
  const { journals, store, countAll, later = setImmediate } = options;
  const copies = new Map<string, RingCopy>();

  async function read(supplyIds?: readonly string[]): Promise<ReadonlyMap<string, Counters>> {
    for (const remedy of REMEDIES) {
      if (remedy !== "none") await countAll(remedy === "recheck");
      const glances = glanceAtAll();
      if (!glances) return readCounted(supplyIds);
      const counters = await readWhole(glances, supplyIds);
      if (counters) return counters;
    }
    throw new Error("the store holds less than was recorded");
  }

  /** Where a journal cannot be copied. */
  async function readCounted(supplyIds?: readonly string[]) {
    await countAll(false);
    return store.read(supplyIds);
  }

  /** @returns undefined when one of the journals cannot be copied */
  function glanceAtAll(): Glance[] | undefined {
    try {
      const producers = new Set(journals.producers());
      for (const producer of copies.keys()) if (!producers.has(producer)) close(producer);
      return [...producers].map(glanceAt).filter((glance) => glance !== undefined);
    } catch {
      return undefined;
    }
  }

  /** @returns undefined when nothing was recorded yet */
  function glanceAt(producer: string): Glance | undefined {
    const copy = copies.get(producer) ?? journals.copy(producer);
    if (!copy) return undefined;
    copies.set(producer, copy);
    return { producer, copy, header: copy.header() };
  }

  function close(producer: string): void {
    copies.get(producer)!.close();
    copies.delete(producer);
  }

  /** @returns undefined when only the producers can make the counters whole */
  async function readWhole(glances: readonly Glance[], supplyIds?: readonly string[]) {
    const counters = new Map(await store.read(supplyIds));
    // Of a journal that is gone all was counted; its offsets go after it, perhaps before we read.
    const left = new Set(journals.producers());
    const isWhole = glances
      .filter(({ producer }) => left.has(producer))
      .every((glance) => complete(glance, counters, supplyIds));
    return isWhole ? counters : undefined;
  }

  /** Adds what a producer has recorded and not counted. @returns whether nothing is missing then */
  function complete(
    { producer, copy, header }: Glance,
    counters: Map<string, Counters>,
    supplyIds: readonly string[] | undefined,
  ): boolean {
    const offset = offsetField(producer);
    const offsetOf = (supplyId: string) => Number(counters.get(supplyId)?.get(offset) ?? 0);
    const from = Math.max(header.counted, header.tail);
    const { committed, recorded } = copy.header();
    if (committed - from > MISSING_WORDS_MAX) return false;
    const missing = tallyRecords(copy, from, committed, offsetOf).filter(
      ({ supplyId }) => !supplyIds || supplyIds.includes(supplyId),
    );
    // Only a producer begins at 0: an offset that was dropped with its journal looks the same.
    if (missing.some(({ supplyId, first }) => first === 1 || first !== offsetOf(supplyId) + 1)) {
      return false;
    }
    for (const tally of missing) {
      counters.set(tally.supplyId, addTally(counters.get(tally.supplyId)!, offset, tally));
    }
    if (missing.length > 0) later(() => countFor(producer, missing));
    if (supplyIds) return true;
    const auctions = [...counters.keys()].reduce((sum, id) => sum + offsetOf(id), 0);
    return auctions >= recorded;
  }

  function countFor(producer: string, tallies: readonly SupplyTally[]): void {
    const parts = tallies.map(({ supplyId, first, last, increments }) => {
      return { supplyId, from: first - 1, to: last, increments };
    });
    store.apply(producer, parts).catch(() => {}); // The producer will count it.
  }

  return { read };
}

function addTally(counters: Counters, offset: string, { last, increments }: SupplyTally): Counters {
  const sums = new Map(counters).set(offset, String(last));
  for (const [field, by] of increments) {
    sums.set(field, String(BigInt(counters.get(field) ?? "0") + BigInt(by)));
  }
  return sums;
}
