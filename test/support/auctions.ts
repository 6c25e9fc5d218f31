import fc from "fast-check";
import { createAuctioneer, type HeldAuction } from "../../src/auction/auctioneer.ts";
import type { BidRequest, BidResponse } from "../../src/auction/bidder.ts";
import { buildCatalog, type Supply } from "../../src/catalog/catalog.ts";
import type { BidderDocument, SupplyDocument } from "../../src/catalog/document.ts";
import { createNames, type Names } from "../../src/stats/names.ts";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";
import { HEADER_BYTES, type Journal, journalBytes, journalOver } from "../../src/stats/ring.ts";
import { copyRing, type RingCopy } from "../../src/stats/ring-copy.ts";
import { createFolder } from "./folder.ts";

/** A supply as the catalog gives it; who may bid plays no part in the statistics. */
export function supplyOf(id: string, bidderIds: readonly string[]): Supply {
  const bidders = Object.fromEntries(bidderIds.map((bidder) => [bidder, { country: "US" }]));
  return buildCatalog({ supplies: { [id]: [...bidderIds] }, bidders }, 1).supplies.get(id)!;
}

/** A supply with all that the catalog can say, and its bidders in order. */
export function supplyWith(
  bidders: Record<string, BidderDocument>,
  rules: Omit<SupplyDocument, "bidders"> = {},
): Supply {
  const supplies = { s: { bidders: Object.keys(bidders), ...rules } };
  return buildCatalog({ supplies, bidders }, 1).supplies.get("s")!;
}

/** What a bidder of the supply is asked in an auction that nothing ends. */
export const bidRequestOf = (supply: Supply, given: Partial<BidRequest> = {}): BidRequest => ({
  auctionId: "auction-1",
  supply,
  country: "US",
  deadlineAtMs: Number.POSITIVE_INFINITY,
  device: () => ({ ip: undefined, userAgent: undefined }),
  onEnd: () => {},
  ...given,
});

export interface AuctionScript {
  country?: string;
  tmaxMs?: number;
  /** What each bidder answers; "never" and no entry: nothing before the deadline. */
  answers: Readonly<Record<string, BidResponse | "never">>;
}

/** Holds a real auction among scripted bidders; its deadline passes when all have answered. */
export async function holdScripted(supply: Supply, script: AuctionScript): Promise<HeldAuction> {
  const { country = "US", tmaxMs = 100, answers } = script;
  const auctioneer = createAuctioneer({
    capacity: 1,
    bidderOf: ({ id }) => ({
      id,
      isAwaited: true,
      bid: () => {
        const answer = Object.hasOwn(answers, id) ? answers[id]! : "never";
        return answer === "never" ? new Promise<never>(() => {}) : answer;
      },
    }),
    record: () => {},
    onFault: (fault) => {
      throw fault;
    },
    now: () => 0,
    setTimer: queueMicrotask,
    clearTimer: () => {},
  });
  auctioneer.reserve();
  const offer = { auctionId: "auction-1", supply, catalogVersion: 7, country, tmaxMs };
  const held = await auctioneer.hold({
    ...offer,
    arrivedAtMs: 0,
    isAbandoned: false,
    device: () => ({ ip: undefined, userAgent: undefined }),
    onClientGone: () => {},
  });
  return held!;
}

/** States by place, for those who were asked; a winner is one of those who bid. */
export interface OutcomeShape {
  country?: string;
  states?: readonly BidderState[];
  winner?: number;
  clearingPriceMicros?: number;
  catalogVersion?: number;
}

export function outcomeOf(supply: Supply, shape: OutcomeShape = {}): AuctionOutcome {
  const { country = "US", states = [], winner = -1, clearingPriceMicros = 0 } = shape;
  const { catalogVersion = 1 } = shape;
  // Every other one of those who were not asked was eligible and could not be asked.
  const eligible = states.flatMap((state, place) =>
    state === BidderState.notAsked && place % 2 === 0 ? [] : [place],
  );
  return {
    supply,
    catalogVersion,
    country,
    eligible,
    states: eligible.map((place) => states[place]!),
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
    states: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 23, maxLength: 23 }),
    winner: fc.nat(22),
    catalogVersion: fc.nat(10_000),
    clearingPriceMicros: fc.oneof(fc.integer({ min: 1, max: 1e6 }), fc.constant(2 ** 32 - 1)),
  })
  .map(({ supply, country, states, catalogVersion, winner, clearingPriceMicros }) => {
    const own = states.slice(0, supply.bidders.length) as BidderState[];
    const shape = { country, states: own, catalogVersion };
    if (own[winner] !== BidderState.bid) return outcomeOf(supply, shape);
    return outcomeOf(supply, { ...shape, winner, clearingPriceMicros });
  });

export type Counted = Map<string, Map<string, bigint>>;

/** By state. */
const COUNTER_OF = [undefined, "bids", "no_bids", "timeouts", "errors", "invalid"];

/** What the counters must be, the slow and obvious way, with the names of the contract. */
export function countByHand(outcomes: readonly AuctionOutcome[]): Counted {
  const counted: Counted = new Map();
  for (const outcome of outcomes) {
    const { supply, country, eligible, states, winner, clearingPriceMicros } = outcome;
    const add = (field: string, by: number) => addTo(counted, supply.id, field, BigInt(by));
    const idAt = (place: number) => supply.bidders[place]!.id;
    add("total_reqs", 1);
    add(`country:${country}`, 1);
    eligible.forEach((place, i) => {
      const counter = COUNTER_OF[states[i]!];
      if (counter) add(`bidder:${idAt(place)}:${counter}`, 1);
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

/** What another process makes of it. @param onRead  told before each piece is copied */
export function copyOf({ bytes, names }: JournalInMemory, onRead = () => {}): RingCopy {
  return copyRing({
    read(into, at) {
      onRead();
      into.set(bytes.subarray(at, at + into.length));
    },
    ringWords: (bytes.length - HEADER_BYTES) / 4,
    names,
    close: () => {},
  });
}
