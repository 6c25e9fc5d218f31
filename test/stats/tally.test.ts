import { expect, test } from "bun:test";
import fc from "fast-check";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";
import type { Journal } from "../../src/stats/ring.ts";
import { suppliesIn, tallyRecords } from "../../src/stats/tally.ts";
import {
  addTo,
  anyOutcome,
  type Counted,
  countByHand,
  journalInMemory,
  outcomeOf,
  supplyOf,
} from "../support/auctions.ts";

/** Appends, and gives the position behind each record. */
function appendAll(journal: Journal, outcomes: readonly AuctionOutcome[]): number[] {
  return outcomes.map((outcome) => {
    journal.append(outcome);
    return journal.committed();
  });
}

const nothingCounted = () => 0;
const { bid, noBid, timeout, error, notAsked, invalid } = BidderState;

test("any split of the records adds up to what a count by hand gives", () => {
  const splits = fc.record({
    outcomes: fc.array(anyOutcome, { minLength: 1, maxLength: 60 }),
    cuts: fc.array(fc.nat(60), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(splits, ({ outcomes, cuts }) => {
      using journal = journalInMemory();
      const ends = appendAll(journal, outcomes);
      const places = cuts.map((cut) => Math.min(cut, ends.length - 1)).sort((a, b) => a - b);
      let from = 0;
      const sum: Counted = new Map();
      const last = new Map<string, number>();
      for (const to of [...places.map((place) => ends[place]!), journal.committed()]) {
        const tallies = tallyRecords(journal, from, to, nothingCounted);
        for (const tally of tallies) {
          expect(tally.first).toBe((last.get(tally.supplyId) ?? 0) + 1);
          expect(tally.last).toBe(tally.first - 1 + tally.increments.get("total_reqs")!);
          last.set(tally.supplyId, tally.last);
          for (const [field, by] of tally.increments) {
            expect(by).toBeGreaterThan(0);
            addTo(sum, tally.supplyId, field, BigInt(by));
          }
        }
        from = Math.max(from, to);
      }
      expect(sum).toEqual(countByHand(outcomes));
    }),
    { numRuns: 150 },
  );
});

test("leaves out what was counted before, by supply, over any range that holds it again", () => {
  const cases = fc.record({
    outcomes: fc.array(anyOutcome, { minLength: 1, maxLength: 40 }),
    counted: fc.array(fc.nat(30), { minLength: 3, maxLength: 3 }),
  });
  fc.assert(
    fc.property(cases, ({ outcomes, counted }) => {
      using journal = journalInMemory();
      appendAll(journal, outcomes);
      const ids = [...new Set(outcomes.map(({ supply }) => supply.id))];
      const countedOf = (id: string) => counted[ids.indexOf(id)]!;
      const seen = new Map<string, number>();
      const rest = outcomes.filter(({ supply }) => {
        const ordinal = (seen.get(supply.id) ?? 0) + 1;
        seen.set(supply.id, ordinal);
        return ordinal > countedOf(supply.id);
      });
      const tallies = tallyRecords(journal, 0, journal.committed(), countedOf);
      const sum: Counted = new Map();
      for (const { supplyId, first, last, increments } of tallies) {
        expect([first, last]).toEqual([countedOf(supplyId) + 1, seen.get(supplyId)!]);
        for (const [field, by] of increments) addTo(sum, supplyId, field, BigInt(by));
      }
      expect(sum).toEqual(countByHand(rest));
    }),
    { numRuns: 100 },
  );
});

test("names the counters as the stores hold them", () => {
  using journal = journalInMemory();
  const supply = supplyOf("s", ["won", "declined", "late", "broken", "elsewhere", "lost", "lied"]);
  const states = [bid, noBid, timeout, error, notAsked, bid, invalid];
  appendAll(journal, [
    outcomeOf(supply, { country: "GB", states, winner: 0, clearingPriceMicros: 420_000 }),
    outcomeOf(supply, { country: "DE" }),
  ]);
  const tallies = tallyRecords(journal, 0, journal.committed(), nothingCounted);
  expect(tallies).toEqual([
    {
      supplyId: "s",
      first: 1,
      last: 2,
      increments: new Map([
        ["total_reqs", 2],
        ["country:GB", 1],
        ["country:DE", 1],
        ["bidder:won:wins", 1],
        ["bidder:won:revenue_micros", 420_000],
        ["bidder:won:bids", 1],
        ["bidder:declined:no_bids", 1],
        ["bidder:late:timeouts", 1],
        ["bidder:broken:errors", 1],
        ["bidder:lost:bids", 1],
        ["bidder:lied:invalid", 1],
      ]),
    },
  ]);
});

test("adds up revenue far beyond 32 bits, to the micro", () => {
  using journal = journalInMemory(2 ** 20);
  const supply = supplyOf("s", ["b"]);
  const clearingPriceMicros = 2 ** 32 - 1;
  for (let i = 0; i < 100_000; i++) {
    journal.append(outcomeOf(supply, { states: [bid], winner: 0, clearingPriceMicros }));
  }
  const tallies = tallyRecords(journal, 0, journal.committed(), nothingCounted);
  expect(tallies[0]!.increments.get("bidder:b:revenue_micros")).toBe(429_496_729_500_000);
});

test("gives nothing for an empty range", () => {
  using journal = journalInMemory();
  expect(tallyRecords(journal, 0, 0, nothingCounted)).toEqual([]);
  expect(suppliesIn(journal, 0, 0)).toEqual(new Set());
});
