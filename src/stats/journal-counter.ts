import type { ApplyReply, SupplyIncrements } from "../store/store.ts";
import { createLostRanges } from "./lost-ranges.ts";
import type { Journal } from "./ring.ts";
import { type SupplyTally, suppliesIn, tallyRecords } from "./tally.ts";

export interface JournalCounterOptions {
  journal: Journal;
  producer: string;
  apply: (producer: string, batch: readonly SupplyIncrements[]) => Promise<readonly ApplyReply[]>;
  /**
   * Records that nobody can count any more, of each supply: the store went back beyond what is
   * kept. Each is told once, however often it is lost.
   */
  onLost: (losses: ReadonlyMap<string, number>) => void;
  /**
   * The store holds less than it did, told once a batch: what is kept is counted again, and what
   * others counted may be gone.
   */
  onWentBack: () => void;
  /**
   * A supply whose counters refuse. Its records stay in the journal and are tried again; it is told
   * once until they are taken, or refused for another reason.
   */
  onRefused: (supplyId: string, error: Error) => void;
}

/** Carries one journal's records to the store, each exactly once. */
export interface JournalCounter {
  /**
   * Resolves when the store has counted every record below the position.
   * @throws Error when the store did not answer (nothing is known, the call may be repeated), or
   *   when it refused a supply
   */
  countUpTo(position: number): Promise<void>;
  /** Everything below it is counted. */
  counted(): number;
  /** How often the store was found to hold less than it once confirmed. */
  timesBack(): number;
  /** Has the next `countUpTo` ask about every supply, so that one that went back is made good. */
  recheck(): void;
  /** The same for the supplies of the records below the position: they may be released then. */
  recheckBelow(position: number): void;
  /** Supplies whose counters refuse at the moment. */
  refusedSupplies(): string[];
  /** False while a recheck is due: what was confirmed may be gone. */
  isSure(): boolean;
}

interface Part extends SupplyIncrements {
  /** The records of (from, to] are kept nowhere: the store goes past them without increments. */
  readonly isGap: boolean;
}

/** Rounds in one call. Two settle a lost reply or a store that went back; more is a bug. */
const ROUNDS_MAX = 8;

/**
 * Compare and set on ordinals: the store keeps, with each supply's counters, how many of this
 * producer's auctions they contain. Increments for the ordinals (from, to] apply only where
 * `from` is stored; any other answer says where to go on, forward or back.
 */
export function createJournalCounter(options: JournalCounterOptions): JournalCounter {
  const { journal, producer, apply, onLost, onWentBack, onRefused } = options;
  /** Of each supply: the ordinal that the store holds, as far as we know. */
  const stored = new Map<string, number>();
  /** Of each supply: the highest ordinal that the store was ever known to hold. */
  const highest = new Map<string, number>();
  const lost = createLostRanges();
  /** Of each supply that is refused: why. */
  const refused = new Map<string, string>();
  /**
   * What is to be asked about beside new records: every supply, or those of the records below a
   * position. Another object for each time it is asked for.
   */
  let rechecking: { readonly below: number | undefined } | undefined;
  let counted = journal.tail();
  let timesBack = 0;

  const isRecheckingAll = () => rechecking !== undefined && rechecking.below === undefined;
  const storedOf = (supplyId: string) => stored.get(supplyId) ?? 0;

  async function countUpTo(position: number): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (counted >= position && !rechecking) return;
      await countRound(Math.max(position, counted));
    }
    throw new Error(`${producer}: the store answered ${ROUNDS_MAX} rounds with other offsets`);
  }

  async function countRound(to: number): Promise<void> {
    const asked = rechecking;
    const isAll = isRecheckingAll();
    const from = isAll ? journal.tail() : counted;
    const parts = tallyRecords(journal, from, to, storedOf).map(toPart);
    if (isAll) addProbes(parts, stored.keys());
    else if (asked) addProbes(parts, suppliesIn(journal, journal.tail(), asked.below!));
    const replies = parts.length > 0 ? await apply(producer, parts) : [];
    if (rechecking === asked) rechecking = undefined; // Else it was asked for again meanwhile.
    const isComplete = settle(parts, replies);
    const refusal = replies.find((reply) => reply instanceof Error);
    if (refusal) {
      rechecking ??= asked; // The refused supply has not been asked yet.
      throw refusal;
    }
    if (isComplete) counted = Math.max(counted, to);
  }

  function toPart({ supplyId, first, last, increments }: SupplyTally): Part {
    // What a journal has released was counted, so its reader, who knows no more, begins there.
    const from = stored.get(supplyId) ?? first - 1;
    if (first === from + 1) return { supplyId, from, to: last, increments, isGap: false };
    // By itself: after a lost reply the same is asked again, whatever was recorded meanwhile.
    return { supplyId, from, to: first - 1, increments: new Map(), isGap: true };
  }

  /** Asks about a supply with nothing to add; what is gone for good is settled as lost. */
  function addProbes(parts: Part[], supplyIds: Iterable<string>): void {
    const included = new Set(parts.map((part) => part.supplyId));
    for (const supplyId of supplyIds) {
      if (included.has(supplyId)) continue;
      const to = highest.get(supplyId) ?? 0;
      const from = storedOf(supplyId);
      parts.push({ supplyId, from, to, increments: new Map(), isGap: true });
    }
  }

  /** @returns whether everything is counted, else another round must follow. */
  function settle(parts: readonly Part[], replies: readonly ApplyReply[]): boolean {
    const losses = new Map<string, number>();
    const timesBefore = timesBack;
    const isCounted = parts.map((part, i) => settlePart(part, replies[i]!, losses));
    if (losses.size > 0) onLost(losses);
    if (losses.size > 0 || timesBack > timesBefore) onWentBack();
    return isCounted.every(Boolean);
  }

  function settlePart(
    { supplyId, from, to, isGap }: Part,
    reply: ApplyReply,
    losses: Map<string, number>,
  ): boolean {
    if (reply instanceof Error) {
      if (refused.get(supplyId) !== reply.message) onRefused(supplyId, reply);
      refused.set(supplyId, reply.message);
      return false;
    }
    refused.delete(supplyId);
    const held = highest.get(supplyId) ?? 0;
    stored.set(supplyId, reply);
    highest.set(supplyId, Math.max(reply, held));
    const isBack = reply !== to && reply < held;
    const isPastGap = reply === to && isGap && from < to;
    if (isBack) timesBack++;
    const told = isPastGap ? lost.add(supplyId, from, to) : 0;
    if (told > 0) losses.set(supplyId, told);
    if (isBack || isPastGap) recheck(); // What follows may have been counted before.
    return reply === to && !isPastGap;
  }

  function recheck(): void {
    rechecking = { below: undefined };
  }

  function recheckBelow(position: number): void {
    if (!isRecheckingAll()) rechecking = { below: position };
  }

  return {
    countUpTo,
    counted: () => counted,
    timesBack: () => timesBack,
    recheck,
    recheckBelow,
    refusedSupplies: () => [...refused.keys()],
    isSure: () => rechecking === undefined,
  };
}
