import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createSimulatedBidder } from "../../src/auction/simulated-bidder.ts";
import { bidRequestOf, supplyOf } from "../support/auctions.ts";

const REQUEST = bidRequestOf(supplyOf("s", ["b"]));
const NO_LATENCY = { leastMs: 0, mostMs: 0 };
/** Just below 1, the most that a random source gives. */
const MOST = 1 - 2 ** -53;
const random = fc.double({ min: 0, max: MOST, noNaN: true });

/** A random source that gives these numbers, one after the other. */
function scripted(...numbers: number[]) {
  return () => {
    const next = numbers.shift();
    if (next === undefined) throw new Error("more random numbers drawn than scripted");
    return next;
  };
}

const bidderWith = (noBidProbability: number, ...numbers: number[]) =>
  createSimulatedBidder("b", {
    noBidProbability,
    latency: NO_LATENCY,
    random: scripted(...numbers),
  });

describe("simulated bidder", () => {
  test("declines below the probability and bids from it on", () => {
    expect(bidderWith(0.3, 0.299_999).bid(REQUEST)).toEqual({ kind: "noBid" });
    expect(bidderWith(0.3, 0.3, 0).bid(REQUEST)).toEqual({ kind: "bid", priceMicros: 10_000 });
  });

  test("never declines with probability 0 and always does with 1", () => {
    expect(bidderWith(0, 0, 0.5).bid(REQUEST)).toMatchObject({ kind: "bid" });
    expect(bidderWith(1, MOST).bid(REQUEST)).toEqual({ kind: "noBid" });
  });

  test("bids from one cent to one whole unit, both included", () => {
    expect(bidderWith(0, 0, 0).bid(REQUEST)).toEqual({ kind: "bid", priceMicros: 10_000 });
    expect(bidderWith(0, 0, MOST).bid(REQUEST)).toEqual({ kind: "bid", priceMicros: 1_000_000 });
  });

  test("bids each of the hundred cents for an equal share of the random numbers", () => {
    const draws = Array.from({ length: 1_000 }, (_, i) => (i + 0.5) / 1_000);
    const prices = draws.map((draw) => {
      const answer = bidderWith(0, 0, draw).bid(REQUEST);
      return "priceMicros" in answer ? answer.priceMicros : 0;
    });
    const expected = draws.map((_, i) => (1 + Math.floor(i / 10)) * 10_000);
    expect(prices).toEqual(expected);
  });

  test("bids whole cents within the range whatever is drawn", () => {
    fc.assert(
      fc.property(random, (draw) => {
        const answer = bidderWith(0, 0, draw).bid(REQUEST) as { priceMicros: number };
        expect(answer.priceMicros % 10_000).toBe(0);
        expect(answer.priceMicros).toBeWithin(10_000, 1_000_001);
      }),
    );
  });

  test("answers after a latency within the range, and not before", async () => {
    await fc.assert(
      fc.asyncProperty(random, fc.nat(100), fc.nat(100), async (draw, leastMs, more) => {
        const waits: number[] = [];
        const gate = Promise.withResolvers<void>();
        const { bid } = createSimulatedBidder("b", {
          noBidProbability: 1,
          latency: { leastMs, mostMs: leastMs + more + 1 },
          random: () => draw,
          wait(ms) {
            waits.push(ms);
            return gate.promise;
          },
        });
        let answer: unknown;
        const answered = Promise.resolve(bid(REQUEST)).then((given) => {
          answer = given;
        });
        await Promise.resolve();
        expect(answer).toBeUndefined();
        gate.resolve();
        await answered;
        expect(answer).toEqual({ kind: "noBid" });
        expect(waits.length).toBe(1);
        expect(waits[0]).toBeWithin(leastMs, leastMs + more + 1.000_001);
      }),
      { numRuns: 50 },
    );
  });

  test("times out, at its own timeout, when it would answer later", async () => {
    const waits: number[] = [];
    const options = {
      noBidProbability: 1,
      latency: { leastMs: 10, mostMs: 50 },
      timeoutMs: 30,
      wait: async (ms: number) => void waits.push(ms),
    };
    const late = createSimulatedBidder("b", { ...options, random: scripted(0.75) });
    expect(await late.bid(REQUEST)).toEqual({ kind: "timeout", reason: "no answer within 30 ms" });
    const inTime = createSimulatedBidder("b", { ...options, random: scripted(0.5, 0) });
    expect(await inTime.bid(REQUEST)).toEqual({ kind: "noBid" });
    expect(waits).toEqual([30, 30]);
  });

  test("is waited for unless it is said not to be", () => {
    const options = { noBidProbability: 0, latency: NO_LATENCY };
    expect(createSimulatedBidder("b", options).isAwaited).toBe(true);
    expect(createSimulatedBidder("b", { ...options, isAwaited: false }).isAwaited).toBe(false);
  });

  test("carries its id", () => {
    expect(bidderWith(0).id).toBe("b");
  });
});
