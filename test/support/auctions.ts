import fc from "fast-check";
import { buildCatalog, type Supply } from "../../src/catalog/catalog.ts";
import { createNames, type Names } from "../../src/stats/names.ts";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";
import { type Journal, journalBytes, journalOver } from "../../src/stats/ring.ts";
import { createFolder } from "./folder.ts";

/** A supply as the catalog gives it; who may bid plays no part in the statistics. */
export function supplyOf(id: string, bidderIds: readonly string[]): Supply {
  const bidders = Object.fromEntries(bidderIds.map((bidder) => [bidder, { country: "US" }]));
  return buildCatalog({ supplies: { [id]: [...bidderIds] }, bidders }, 1).supplies.get(id)!;
}

/** States by place, for those who were asked; a winner is one of those who bid. */
export interface OutcomeShape {
  country?: string;
  states?: readonly BidderState[];
  winner?: number;
  clearingPriceMicros?: number;
}

export function outcomeOf(supply: Supply, shape: OutcomeShape = {}): AuctionOutcome {
  const { country = "US", states = [], winner = -1, clearingPriceMicros = 0 } = shape;
  const asked = states.flatMap((state, place) => (state === BidderState.notAsked ? [] : [place]));
  return {
    supply,
    country,
    asked,
    states: asked.map((place) => states[place]!),
    pricesMicros: asked.map((place) => (place === winner ? clearingPriceMicros : 0)),
    winner,
    clearingPriceMicros,
  };
}

/** Three supplies, one of which changes its bidders, and one without any. */
const SUPPLIES: readonly Supply[] = [
  supplyOf("supply1", ["b1", "b2", "b3"]),
  supplyOf(
    "__proto__",
    Array.from({ length: 23 }, (_, i) => `b${i}`),
  ),
  supplyOf("supply1", ["b3", "b4"]),
  supplyOf("empty", []),
];

export const anyOutcome: fc.Arbitrary<AuctionOutcome> = fc
  .record({
    supply: fc.constantFrom(...SUPPLIES),
    country: fc.constantFrom("US", "GB", "AA", "ZZ"),
    states: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 23, maxLength: 23 }),
    winner: fc.nat(22),
    clearingPriceMicros: fc.oneof(fc.integer({ min: 1, max: 1e6 }), fc.constant(2 ** 32 - 1)),
  })
  .map(({ supply, country, states, winner, clearingPriceMicros }) => {
    const own = states.slice(0, supply.bidders.length) as BidderState[];
    if (own[winner] !== BidderState.bid) return outcomeOf(supply, { country, states: own });
    return outcomeOf(supply, { country, states: own, winner, clearingPriceMicros });
  });

export type Counted = Map<string, Map<string, bigint>>;

/** What the counters must be, the slow and obvious way, with the names of the contract. */
export function countByHand(outcomes: readonly AuctionOutcome[]): Counted {
  const counted: Counted = new Map();
  for (const outcome of outcomes) {
    const { supply, country, asked, states, winner, clearingPriceMicros } = outcome;
    const add = (field: string, by: number) => addTo(counted, supply.id, field, BigInt(by));
    const idAt = (place: number) => supply.bidders[place]!.id;
    add("total_reqs", 1);
    add(`country:${country}`, 1);
    asked.forEach((place, i) => {
      if (states[i] === BidderState.noBid) add(`bidder:${idAt(place)}:no_bids`, 1);
      if (states[i] === BidderState.timeout) add(`bidder:${idAt(place)}:timeouts`, 1);
    });
    if (winner < 0) continue;
    add(`bidder:${idAt(winner)}:wins`, 1);
    add(`bidder:${idAt(winner)}:revenue_micros`, clearingPriceMicros);
  }
  return counted;
}

export function addTo(counted: Counted, supplyId: string, field: string, by: bigint): void {
  const fields = counted.get(supplyId) ?? new Map<string, bigint>();
  counted.set(supplyId, fields.set(field, (fields.get(field) ?? 0n) + by));
}

export interface JournalInMemory extends Journal, Disposable {
  readonly bytes: Uint8Array;
  readonly names: Names;
}

/** A journal in memory. Only its names are in a file, until it is disposed of. */
export function journalInMemory(ringWords = 2 ** 16, startAt = 0): JournalInMemory {
  const folder = createFolder();
  const names = createNames(folder.path("names"));
  const bytes = new Uint8Array(journalBytes(ringWords));
  // The header of a producer that has got so far: what is committed, and the tail.
  new Int32Array(bytes.buffer)[2] = startAt | 0;
  new Float64Array(bytes.buffer)[2] = startAt;
  const dispose = () => {
    names.close();
    folder[Symbol.dispose]();
  };
  return { ...journalOver(bytes, names), bytes, names, [Symbol.dispose]: dispose };
}
