import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BidResponse } from "../../src/auction/bidder.ts";
import { type AuctionRules, type Bid, clear, minToWin } from "../../src/auction/clearing.ts";
import { BidderState } from "../../src/stats/outcome.ts";
import { holdScripted, supplyWith } from "../support/auctions.ts";

const CENT = 10_000;
const FIRST: AuctionRules = { auction: "first_price", floorMicros: 0 };
const SECOND: AuctionRules = { auction: "second_price", floorMicros: 0 };
const cents = (n: number) => n * CENT;
const bidAt = (place: number, priceCents: number): Bid => ({
  place,
  priceMicros: cents(priceCents),
});

describe("OpenRTB 2.6, 4.4.1: a floor of 0.85, bids of 1.00, 0.90, 0.80 and an invalid one", () => {
  const answers: Record<string, BidResponse> = {
    "1.00": { kind: "bid", priceMicros: cents(100) },
    "0.90": { kind: "bid", priceMicros: cents(90) },
    "0.80": { kind: "bid", priceMicros: cents(80) },
    invalid: { kind: "invalid", code: 3, reason: "no bid of ours" },
  };
  const bidders = Object.fromEntries(Object.keys(answers).map((id) => [id, { country: "US" }]));

  /** `${AUCTION_PRICE}` and `${AUCTION_MIN_TO_WIN}` of each bid, in cents. */
  test.each([
    ["first_price", "1.00", 100, 90],
    ["first_price", "0.90", undefined, 100],
    ["first_price", "0.80", undefined, 100],
    ["first_price", "invalid", undefined, undefined],
    ["second_price", "1.00", 91, 90],
    ["second_price", "0.90", undefined, 91],
    ["second_price", "0.80", undefined, 91],
    ["second_price", "invalid", undefined, undefined],
  ] as const)(
    "%s, the bid %s: it pays %p, with %p it had tied",
    async (auction, id, pays, ties) => {
      const supply = supplyWith(bidders, { auction, floor: 0.85 });
      const held = await holdScripted(supply, { answers });
      const place = supply.bidders.findIndex((bidder) => bidder.id === id);
      const toCents = (micros: number) => micros / CENT;
      const isBid = held.states[place] === BidderState.bid;
      expect(held.winner === place ? toCents(held.clearingPriceMicros) : undefined).toBe(pays);
      expect(isBid ? toCents(minToWin(place, held.cleared!, supply)) : undefined).toBe(ties);
    },
  );
});

describe("clear", () => {
  test("finds no winner where nobody bid, or nobody met the floor", () => {
    expect(clear([], FIRST)).toBeUndefined();
    const rules = { ...FIRST, floorMicros: cents(50) };
    expect(clear([bidAt(0, 49)], rules)).toBeUndefined();
    expect(clear([bidAt(0, 50)], rules)).toMatchObject({ clearingPriceMicros: cents(50) });
  });

  test("takes no bid of less than a cent", () => {
    expect(clear([{ place: 0, priceMicros: CENT - 1 }], FIRST)).toBeUndefined();
  });

  test("prefers the higher bid, and among equals the lower place, whatever the order", () => {
    const [low, late, early] = [bidAt(0, 1), bidAt(2, 2), bidAt(1, 2)];
    expect(clear([low, late, early], FIRST)!.winner).toBe(early);
    expect(clear([early, late, low], FIRST)!.winner).toBe(early);
  });

  test("has the winner pay its own bid by first price", () => {
    expect(clear([bidAt(0, 10), bidAt(1, 42)], FIRST)).toMatchObject({
      winner: { place: 1 },
      clearingPriceMicros: cents(42),
    });
  });

  test.each([
    ["a cent more than the runner-up", [42, 10], 0, 11],
    ["its own bid where both bid the same", [42, 42], 0, 42],
    ["its own bid where the runner-up is less than a cent below", [42, 41.5], 0, 42],
    ["the floor where it is alone", [42], 20, 20],
    ["the floor where the runner-up is below it", [42, 19], 20, 20],
    ["a cent where it is alone and there is no floor", [42], 0, 1],
  ])("by second price the winner pays %s", (_, prices, floorCents, expected) => {
    const bids = prices.map((price, place) => bidAt(place, price));
    const cleared = clear(bids, { ...SECOND, floorMicros: cents(floorCents) });
    expect(cleared).toMatchObject({ winner: { place: 0 }, clearingPriceMicros: cents(expected) });
  });

  test("lets go what is below a cent of a price, not of a bid", () => {
    const bids = [
      { place: 0, priceMicros: 819_999 },
      { place: 1, priceMicros: 819_998 },
    ];
    const cleared = clear(bids, FIRST)!;
    expect([cleared.winner.place, cleared.clearingPriceMicros]).toEqual([0, 810_000]);
  });

  test.each([0, -1, 0.5, 10_000.000_1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    "refuses the price %p, which is not integer micros above 0",
    (priceMicros) => {
      expect(() => clear([{ place: 3, priceMicros }], FIRST)).toThrow(RangeError);
      expect(() => clear([{ place: 3, priceMicros }], FIRST)).toThrow("at place 3");
    },
  );
});

const rules = fc.record({
  auction: fc.constantFrom("first_price" as const, "second_price" as const),
  floorMicros: fc.integer({ min: 0, max: 400 }).map(cents),
});
/** Bids of different places; few prices in one of them, so that there are ties. */
const bidsOf = (priceMicros: fc.Arbitrary<number>) =>
  fc.uniqueArray(fc.record({ place: fc.nat(999), priceMicros }), { selector: (bid) => bid.place });
const anyBids = fc.oneof(
  bidsOf(fc.integer({ min: 1, max: 2 ** 32 - 1 })),
  bidsOf(fc.integer({ min: 1, max: 3 }).map(cents)),
  bidsOf(fc.integer({ min: 1, max: 4_000_000 })),
);

describe("of any bids under any rules", () => {
  test("exactly one wins, one that no other beats, or none where none meets the floor", () => {
    fc.assert(
      fc.property(anyBids, rules, (bids, rules) => {
        const cleared = clear(bids, rules);
        const lowestMicros = Math.max(CENT, rules.floorMicros);
        const valid = bids.filter(({ priceMicros }) => priceMicros >= lowestMicros);
        if (valid.length === 0) return expect(cleared).toBeUndefined();
        const { winner } = cleared!;
        expect(valid.filter((bid) => bid === winner).length).toBe(1);
        const isBeaten = valid.some(
          ({ place, priceMicros }) =>
            priceMicros > winner.priceMicros ||
            (priceMicros === winner.priceMicros && place < winner.place),
        );
        expect(isBeaten).toBe(false);
      }),
    );
  });

  test("the price is whole cents between the floor and the winner's bid", () => {
    fc.assert(
      fc.property(anyBids, rules, (bids, rules) => {
        const cleared = clear(bids, rules);
        if (!cleared) return;
        const { winner, clearingPriceMicros } = cleared;
        expect(clearingPriceMicros % CENT).toBe(0);
        expect(clearingPriceMicros).toBeGreaterThanOrEqual(Math.max(CENT, rules.floorMicros));
        expect(clearingPriceMicros).toBeLessThanOrEqual(winner.priceMicros);
      }),
    );
  });

  test("the order in which they come plays no part", () => {
    const reordered = anyBids.chain((bids) =>
      fc.tuple(
        fc.constant(bids),
        fc.shuffledSubarray(bids, { minLength: bids.length, maxLength: bids.length }),
      ),
    );
    fc.assert(
      fc.property(reordered, rules, ([bids, others], rules) => {
        expect(clear(others, rules)).toEqual(clear(bids, rules));
      }),
    );
  });

  test("a loser that bids less, or not at all, does not change the winner", () => {
    fc.assert(
      fc.property(anyBids, rules, fc.nat(), fc.nat(), (bids, rules, pick, by) => {
        const winner = clear(bids, rules)?.winner;
        const losers = bids.filter((bid) => bid !== winner);
        if (losers.length === 0) return;
        const loser = losers[pick % losers.length]!;
        const lower = { ...loser, priceMicros: 1 + (by % loser.priceMicros) };
        const others = bids.filter((bid) => bid !== loser);
        expect(clear(others, rules)?.winner).toBe(winner);
        expect(clear([...others, lower], rules)?.winner).toBe(winner);
      }),
    );
  });
});
