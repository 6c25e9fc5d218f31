import { countryCode } from "../catalog/country.ts";
import { type BidderCounter, bidderField, countryField, TOTAL } from "../store/counters.ts";
import type { NamedSupply } from "./names.ts";
import { BidderState } from "./outcome.ts";
import type { Journal } from "./ring.ts";
import { type JournalRecord, STATES_PER_WORD } from "./ring-scan.ts";

/** What some records of one supply add up to. */
export interface SupplyTally {
  readonly supplyId: string;
  /** Ordinal of the first record that was added. */
  first: number;
  /** Ordinal of the last one. */
  last: number;
  readonly increments: Map<string, number>;
}

/**
 * Adds up the records of [from, to) by supply, leaving out those that were counted before.
 * @param countedOf  the highest ordinal of a supply that is already counted
 */
export function tallyRecords(
  journal: Pick<Journal, "scan">,
  from: number,
  to: number,
  countedOf: (supplyId: string) => number,
): SupplyTally[] {
  const sums = new Map<number, EntrySums>();
  journal.scan(from, to, (record) => {
    const entry = record.supply;
    let sum = sums.get(entry.number);
    if (!sum) {
      sum = createSums(entry, countedOf(entry.supplyId));
      sums.set(entry.number, sum);
    }
    if (record.ordinal > sum.counted) addRecord(sum, record);
  });
  return mergeBySupply(sums.values());
}

/** Every supply that has a record in [from, to). */
export function suppliesIn(journal: Journal, from: number, to: number): Set<string> {
  const supplyIds = new Set<string>();
  journal.scan(from, to, (record) => void supplyIds.add(record.supply.supplyId));
  return supplyIds;
}

/** Sums for one entry of the names file, by place: this runs for each record. */
interface EntrySums {
  readonly entry: NamedSupply;
  readonly counted: number;
  first: number;
  last: number;
  total: number;
  readonly countries: Map<number, number>;
  /** Of those that have been asked: of the many bidders of a large catalog, two or three. */
  readonly bidders: (BidderSums | undefined)[];
}

interface BidderSums {
  wins: number;
  revenueMicros: number;
  /** How often it ended in each state. */
  readonly ends: number[];
}

/** The counter of each state that has one. */
const COUNTED_STATES: readonly (readonly [BidderState, BidderCounter])[] = [
  [BidderState.noBid, "no_bids"],
  [BidderState.timeout, "timeouts"],
  [BidderState.error, "errors"],
  [BidderState.invalid, "invalid"],
  [BidderState.bid, "bids"],
];

function createSums(entry: NamedSupply, counted: number): EntrySums {
  const bidders = new Array<BidderSums | undefined>(entry.bidderIds.length);
  return { entry, counted, first: 0, last: 0, total: 0, countries: new Map(), bidders };
}

function addRecord(sum: EntrySums, record: JournalRecord): void {
  if (sum.total++ === 0) sum.first = record.ordinal;
  sum.last = record.ordinal;
  sum.countries.set(record.country, (sum.countries.get(record.country) ?? 0) + 1);
  const { bidders } = sum;
  for (let from = 0; from < bidders.length; from += STATES_PER_WORD) {
    let states = record.statesFrom(from);
    for (let place = from; states !== 0; place++) {
      const state = states & 7;
      if (state !== BidderState.notAsked) sumsAt(bidders, place).ends[state]! += 1;
      states >>>= 3;
    }
  }
  if (record.winner < 0) return;
  const winner = sumsAt(bidders, record.winner);
  winner.wins += 1;
  winner.revenueMicros += record.clearingPriceMicros;
}

function sumsAt(bidders: (BidderSums | undefined)[], place: number): BidderSums {
  bidders[place] ??= { wins: 0, revenueMicros: 0, ends: [0, 0, 0, 0, 0, 0, 0, 0] };
  return bidders[place];
}

/** A supply whose bidders changed has several entries; its counters are the same. */
function mergeBySupply(sums: Iterable<EntrySums>): SupplyTally[] {
  const tallies = new Map<string, SupplyTally>();
  for (const sum of sums) {
    if (sum.total === 0) continue;
    const { supplyId, bidderIds } = sum.entry;
    let tally = tallies.get(supplyId);
    if (!tally) {
      tally = { supplyId, first: sum.first, last: sum.last, increments: new Map() };
      tallies.set(supplyId, tally);
    }
    tally.first = Math.min(tally.first, sum.first);
    tally.last = Math.max(tally.last, sum.last);
    const { increments } = tally;
    const add = (field: string, by: number) =>
      void increments.set(field, (increments.get(field) ?? 0) + by);
    add(TOTAL, sum.total);
    for (const [country, count] of sum.countries) add(countryField(countryCode(country)), count);
    sum.bidders.forEach((own, place) => {
      if (!own) return;
      const id = bidderIds[place]!;
      if (own.wins > 0) add(bidderField(id, "wins"), own.wins);
      if (own.revenueMicros > 0) add(bidderField(id, "revenue_micros"), own.revenueMicros);
      for (const [state, counter] of COUNTED_STATES) {
        if (own.ends[state]! > 0) add(bidderField(id, counter), own.ends[state]!);
      }
    });
  }
  return [...tallies.values()];
}
