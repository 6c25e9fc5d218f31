import { describe, expect, test } from "bun:test";
import { AssertionError } from "node:assert";
import fc from "fast-check";
import { type Bid, clear } from "../../src/auction/clearing.ts";

const price = fc.integer({ min: 1, max: 2 ** 32 - 1 });
/** Bids of different places; few prices, so that there are ties. */
const bidsOf = (priceMicros: fc.Arbitrary<number>) =>
  fc.uniqueArray(fc.record({ place: fc.nat(999), priceMicros }), {
    selector: ({ place }) => place,
  });
const anyBids = fc.oneof(bidsOf(price), bidsOf(fc.integer({ min: 1, max: 3 })));

describe("clear", () => {
  test("finds no winner where nobody bid", () => {
    expect(clear([])).toBeUndefined();
  });

  test("gives a single bid the win", () => {
    const bid = { place: 4, priceMicros: 10_000 };
    expect(clear([bid])).toBe(bid);
  });

  test("prefers the higher bid, and among equals the lower place, whatever the order", () => {
    const low = { place: 0, priceMicros: 10_000 };
    const late = { place: 2, priceMicros: 20_000 };
    const early = { place: 1, priceMicros: 20_000 };
    expect(clear([low, late, early])).toBe(early);
    expect(clear([early, late, low])).toBe(early);
  });

  test("picks exactly one of the bids, one that no other beats", () => {
    fc.assert(
      fc.property(anyBids, (bids) => {
        const winner = clear(bids);
        if (bids.length === 0) return expect(winner).toBeUndefined();
        expect(bids.filter((bid) => bid === winner).length).toBe(1);
        const beats = (a: Bid, b: Bid) =>
          a.priceMicros > b.priceMicros || (a.priceMicros === b.priceMicros && a.place < b.place);
        expect(bids.some((bid) => beats(bid, winner!))).toBe(false);
      }),
    );
  });

  test("does not depend on the order of the bids", () => {
    const reordered = anyBids.chain((bids) =>
      fc.tuple(
        fc.constant(bids),
        fc.shuffledSubarray(bids, { minLength: bids.length, maxLength: bids.length }),
      ),
    );
    fc.assert(
      fc.property(reordered, ([bids, others]) => {
        expect(clear(others)).toBe(clear(bids)!);
      }),
    );
  });

  test("has the same winner without any one of the losers, or with a loser that bids less", () => {
    fc.assert(
      fc.property(anyBids, fc.nat(), fc.nat(), (bids, pick, by) => {
        const winner = clear(bids);
        const losers = bids.filter((bid) => bid !== winner);
        if (losers.length === 0) return;
        const loser = losers[pick % losers.length]!;
        const lower = { ...loser, priceMicros: 1 + (by % loser.priceMicros) };
        const others = bids.filter((bid) => bid !== loser);
        expect(clear(others)).toBe(winner!);
        expect(clear([...others, lower])).toBe(winner!);
      }),
    );
  });

  test.each([0, -1, 0.5, 10_000.000_1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    "refuses the price %p, which is not integer micros above 0",
    (priceMicros) => {
      expect(() => clear([{ place: 3, priceMicros }])).toThrow(AssertionError);
      expect(() => clear([{ place: 3, priceMicros }])).toThrow("at place 3");
    },
  );
});
