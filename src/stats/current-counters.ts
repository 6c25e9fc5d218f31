import { offsetField } from "../store/counters.ts";
import type { CounterStore, Counters } from "../store/store.ts";
import type { JournalFolder } from "./journal.ts";
import type { RingCopy } from "./ring-copy.ts";
import { type SupplyTally, tallyRecords } from "./tally.ts";

export interface CurrentCountersOptions {
  journals: Pick<JournalFolder, "producers" | "copy">;
  store: Pick<CounterStore, "read">;
  /**
   * Resolves when every process of this host has counted what it had recorded before the call.
   * @param isStoreBack  the store holds less than it confirmed: it is to be asked for all of it
   */
  countAll: (isStoreBack: boolean) => Promise<void>;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
}

/**
 * The counters of the store, with all that this host has recorded. What the store lacks is added
 * from the journals, without waking the processes that write them.
 */
export interface CurrentCounters {
  /**
   * Whatever was recorded before the call is in the answer: of all supplies each producer's offsets
   * must add up to what it ever recorded; before some are read after a doubt, every process has to
   * ask the store for all that it confirmed.
   * @throws Error when the store does not answer, or a process that has to count cannot
   */
  read: CounterStore["read"];
  /** The store was away, and may hold less than it confirmed. */
  doubt(): void;
}

/** A journal as it was before the store was read. */
interface Glance {
  readonly producer: string;
  readonly copy: RingCopy;
  /** Everything below it is in the store, unless that went back. */
  readonly countedTo: number;
}

/**
 * Why counters are no answer: more is missing than is added up at once; it does not follow what the
 * store holds; the offsets add up to less than was recorded.
 */
const LACKS = ["too much", "a gap", "auctions"] as const;
type Lack = (typeof LACKS)[number];

/** How what one producer has recorded could be added. */
interface Completion {
  readonly producer: string;
  /** Auctions that are neither in the store nor in its journal. */
  readonly short: number;
  readonly lack: Lack | undefined;
}

/** Counters with what every producer has recorded. */
interface Found {
  readonly counters: Map<string, Counters>;
  readonly completions: readonly Completion[];
  readonly lack: Lack | undefined;
}

/** What is done before each try, where the one before it was no answer. */
const REMEDIES = ["none", "count", "recheck"] as const;
type Remedy = (typeof REMEDIES)[number];

/** After it no more remedies: whoever asked has been told that there is no answer. */
const GIVE_UP_MS = 1_500;
/** Of one producer added up in one turn, some milliseconds. Of more the producer counts first. */
const MISSING_WORDS_MAX = 2 ** 16;

export function createCurrentCounters(options: CurrentCountersOptions): CurrentCounters {
  const { journals, store, countAll, now = () => performance.now() } = options;
  const copies = new Map<string, RingCopy>();
  /** Of each producer the auctions that nobody could restore; they were told as lost. */
  const lost = new Map<string, number>();
  /** How often the store may have gone back unseen: before the first look it may, too. */
  let doubts = 1;
  let doubtsSettled = 0;

  async function read(supplyIds?: readonly string[]): Promise<ReadonlyMap<string, Counters>> {
    const giveUpAtMs = now() + GIVE_UP_MS;
    const doubtsBefore = doubts;
    let lack: Lack | undefined;
    for (const remedy of remediesFor(supplyIds)) {
      if (now() > giveUpAtMs) break;
      const found = await readAfter(remedy, supplyIds);
      if (!found) return readCounted(remedy !== "none", supplyIds);
      lack = found.lack;
      if (doubts > doubtsBefore || !isAnswer(lack, remedy)) continue;
      if (!supplyIds || remedy === "recheck") doubtsSettled = doubtsBefore;
      rememberLost(found.completions);
      return found.counters;
    }
    throw new Error(`the store lacks ${lack ?? "what it confirmed"}`);
  }

  function remediesFor(supplyIds: readonly string[] | undefined): readonly Remedy[] {
    // Of some supplies nothing adds up, so that a loss would not show.
    const isDoubtful = supplyIds !== undefined && doubtsSettled < doubts;
    return isDoubtful ? ["recheck"] : REMEDIES;
  }

  /** @returns undefined when a journal cannot be copied */
  async function readAfter(
    remedy: Remedy,
    supplyIds: readonly string[] | undefined,
  ): Promise<Found | undefined> {
    if (remedy !== "none") await countAll(remedy === "recheck");
    const glances = glanceAtAll();
    const counters = new Map(await store.read(supplyIds));
    return glances && complete(counters, glances, supplyIds);
  }

  function rememberLost(completions: readonly Completion[]): void {
    for (const { producer, short } of completions) {
      if (short > 0) lost.set(producer, (lost.get(producer) ?? 0) + short);
    }
  }

  /** Where a journal cannot be copied: what every process has counted. */
  async function readCounted(isCounted: boolean, supplyIds?: readonly string[]) {
    if (!isCounted) await countAll(false);
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
    const { counted, tail } = copy.header();
    return { producer, copy, countedTo: Math.max(counted, tail) };
  }

  function close(producer: string): void {
    copies.get(producer)!.close();
    copies.delete(producer);
    lost.delete(producer);
  }

  /** Adds what the producers have recorded. @returns undefined when a journal cannot be copied */
  function complete(
    counters: Map<string, Counters>,
    glances: readonly Glance[],
    supplyIds: readonly string[] | undefined,
  ): Found | undefined {
    try {
      // Of a journal that is gone all was counted; its offsets go after it, perhaps before we read.
      const left = new Set(journals.producers());
      const wanted = supplyIds && new Set(supplyIds);
      const completions = glances
        .filter(({ producer }) => left.has(producer))
        .map((glance) => completeOne(counters, glance, wanted));
      return {
        counters,
        completions,
        lack: LACKS.find((lack) => completions.some((one) => one.lack === lack)),
      };
    } catch {
      return undefined;
    }
  }

  function completeOne(
    counters: Map<string, Counters>,
    { producer, copy, countedTo }: Glance,
    wanted: ReadonlySet<string> | undefined,
  ): Completion {
    const field = offsetField(producer);
    const offsetOf = (supplyId: string) => Number(counters.get(supplyId)?.get(field) ?? 0);
    const { committed, recorded } = copy.header();
    if (committed - countedTo > MISSING_WORDS_MAX) return { producer, short: 0, lack: "too much" };
    const tallies = tallyRecords(copy, countedTo, committed, offsetOf).filter(
      ({ supplyId }) => !wanted || wanted.has(supplyId),
    );
    const follows = ({ supplyId, first }: SupplyTally) => first === offsetOf(supplyId) + 1;
    if (!tallies.every(follows)) return { producer, short: 0, lack: "a gap" };
    for (const tally of tallies) {
      const counted = counters.get(tally.supplyId) ?? new Map<string, string>();
      counters.set(tally.supplyId, addTally(counted, field, tally));
    }
    let short = 0;
    if (!wanted) {
      const sum = [...counters.keys()].reduce((all, id) => all + offsetOf(id), 0);
      short = Math.max(0, recorded - sum - (lost.get(producer) ?? 0));
    }
    return { producer, short, lack: short > 0 ? "auctions" : undefined };
  }

  return { read, doubt: () => void doubts++ };
}

function isAnswer(lack: Lack | undefined, remedy: Remedy): boolean {
  if (lack === undefined) return true;
  return lack === "auctions" && remedy === "recheck"; // Everybody has restored what they could.
}

function addTally(counters: Counters, offset: string, { last, increments }: SupplyTally): Counters {
  const sums = new Map(counters).set(offset, String(last));
  for (const [field, by] of increments) {
    sums.set(field, String(BigInt(counters.get(field) ?? "0") + BigInt(by)));
  }
  return sums;
}
