import { countryCode } from "../catalog/country.ts";
import { type BidderCounter, bidderField, countryField, TOTAL } from "../store/counters.ts";
import type { NamedSupply } from "./names.ts";
import { BidderState } from "./outcome.ts";
import type { Journal, JournalRecord } from "./ring.ts";

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
 * @returns the sums, and every supply that has a record there, counted or not
 */
export function tallyRecords(
  journal: Journal,
  from: number,
  to: number,
  countedOf: (supplyId: string) => number,
): { tallies: SupplyTally[]; supplyIds: Set<string> } {
  const sums: (EntrySums | undefined)[] = [];
  journal.scan(from, to, (record) => {
    const entry = record.supply;
    let sum = sums[entry.number];
    if (!sum) {
      sum = createSums(entry, countedOf(entry.supplyId));
      sums[entry.number] = sum;
    }
    if (record.ordinal > sum.counted) addRecord(sum, record);
  });
  const supplyIds = new Set(sums.flatMap((sum) => sum?.entry.supplyId ?? []));
  return { tallies: mergeBySupply(sums), supplyIds };
}

/** Sums for one entry of the names file, in arrays: this runs for each record. */
interface EntrySums {
  readonly entry: NamedSupply;
  readonly counted: number;
  first: number;
  last: number;
  total: number;
  readonly countries: Map<number, number>;
  readonly wins: Float64Array;
  readonly revenueMicros: Float64Array;
  /** How often each bidder ended in each state: by place, then by state. */
  readonly ends: Float64Array;
}

/** Three bits. */
const STATES = 8;
/** The counter of each state that has one. */
const COUNTED_STATES: readonly (readonly [BidderState, BidderCounter])[] = [
  [BidderState.noBid, "no_bids"],
  [BidderState.timeout, "timeouts"],
  [BidderState.error, "errors"],
  [BidderState.invalid, "invalid"],
  [BidderState.bid, "bids"],
];

function createSums(entry: NamedSupply, counted: number): EntrySums {
  const perBidder = (figures = 1) => new Float64Array(entry.bidderIds.length * figures);
  return {
    entry,
    counted,
    first: 0,
    last: 0,
    total: 0,
    countries: new Map(),
    wins: perBidder(),
    revenueMicros: perBidder(),
    ends: perBidder(STATES),
  };
}

function addRecord(sum: EntrySums, record: JournalRecord): void {
  if (sum.total++ === 0) sum.first = record.ordinal;
  sum.last = record.ordinal;
  sum.countries.set(record.country, (sum.countries.get(record.country) ?? 0) + 1);
  if (record.winner >= 0) {
    sum.wins[record.winner]! += 1;
    sum.revenueMicros[record.winner]! += record.clearingPriceMicros;
  }
  const bidders = sum.wins.length;
  for (let place = 0; place < bidders; place++) {
    sum.ends[place * STATES + record.stateAt(place)]! += 1;
  }
}

/** A supply whose bidders changed has several entries; its counters are the same. */
function mergeBySupply(sums: readonly (EntrySums | undefined)[]): SupplyTally[] {
  const tallies = new Map<string, SupplyTally>();
  for (const sum of sums) {
    if (!sum || sum.total === 0) continue;
    const { supplyId, bidderIds } = sum.entry;
    let tally = tallies.get(supplyId);
    if (!tally) {
      tally = { supplyId, first: sum.first, last: sum.last, increments: new Map() };
      tallies.set(supplyId, tally);
    }
    tally.first = Math.min(tally.first, sum.first);
    tally.last = Math.max(tally.last, sum.last);
    const { increments } = tally;
    const add = (field: string, by: number) => {
      if (by > 0) increments.set(field, (increments.get(field) ?? 0) + by);
    };
    add(TOTAL, sum.total);
    for (const [country, count] of sum.countries) add(countryField(countryCode(country)), count);
    bidderIds.forEach((id, place) => {
      add(bidderField(id, "wins"), sum.wins[place]!);
      add(bidderField(id, "revenue_micros"), sum.revenueMicros[place]!);
      for (const [state, counter] of COUNTED_STATES) {
        add(bidderField(id, counter), sum.ends[place * STATES + state]!);
      }
    });
  }
  return [...tallies.values()];
}
