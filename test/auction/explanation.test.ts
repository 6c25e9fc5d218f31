import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BidResponse } from "../../src/auction/bidder.ts";
import { explain } from "../../src/auction/explanation.ts";
import { BidderState } from "../../src/stats/outcome.ts";
import { holdScripted, supplyWith } from "../support/auctions.ts";

const US = { country: "US" };
const bid = (price: number): BidResponse => ({ kind: "bid", priceMicros: Math.round(price * 1e6) });

describe("an explanation", () => {
  test("has a row for each bidder of the supply, in its order, and says why", async () => {
    const supply = supplyWith(
      {
        winner: US,
        outbid: US,
        tied: US,
        cheap: US,
        declines: US,
        silent: US,
        fails: US,
        lies: US,
        busy: US,
        late: US,
        elsewhere: { countries: ["GB", "FR"] },
      },
      { floor: 0.5, auction: "second_price" },
    );
    const held = await holdScripted(supply, {
      answers: {
        winner: bid(0.9),
        outbid: bid(0.8),
        tied: bid(0.9),
        cheap: bid(0.49),
        declines: { kind: "noBid", nbr: 8 },
        silent: "never",
        fails: { kind: "error", reason: "status 503" },
        lies: { kind: "invalid", code: 3, reason: "cur EUR, expected USD" },
        busy: { kind: "notAsked", reason: "64 calls in flight" },
        late: { kind: "timeout", reason: "no answer within 20 ms" },
      },
    });
    const row = (bidderId: string, state: string, reason: string, given = {}) => ({
      ...{ bidderId, state, code: null, priceMicros: null, latencyMs: null, reason },
      ...given,
    });
    const bidOf = (price: number, code: number) => ({
      code,
      priceMicros: Math.round(price * 1e6),
      latencyMs: 0,
    });
    expect(explain(held) as unknown[]).toEqual([
      row("winner", "won", "highest bid, pays 0.9", bidOf(0.9, 0)),
      row("outbid", "lost", "outbid, 0.9 to win", bidOf(0.8, 102)),
      row("tied", "lost", "tied with the winner, which the supply lists first", bidOf(0.9, 102)),
      row("cheap", "lost", "0.49 is below the floor of 0.5", bidOf(0.49, 100)),
      row("declines", "no_bid", "declined, nbr 8", { code: 8, latencyMs: 0 }),
      row("silent", "timeout", "no answer within 100 ms"),
      row("fails", "error", "status 503", { latencyMs: 0 }),
      row("lies", "invalid", "cur EUR, expected USD", { code: 3, latencyMs: 0 }),
      row("busy", "not_asked", "64 calls in flight"),
      row("late", "timeout", "no answer within 20 ms"),
      row("elsewhere", "not_asked", "bids for GB, FR, not for US"),
    ]);
  });

  test("names the number of countries where they are many", async () => {
    const supply = supplyWith({ b: { countries: ["GB", "FR", "DE", "IT"] } });
    const [only] = explain(await holdScripted(supply, { answers: {} }));
    expect(only!.reason).toBe("bids for 4 others, not for US");
  });

  test("calls a price that is no price invalid", async () => {
    const held = await holdScripted(supplyWith({ b: US }), {
      answers: { b: { kind: "bid", priceMicros: -1 } },
    });
    const [only] = explain(held);
    expect(only).toMatchObject({ state: "invalid", code: 9, priceMicros: null });
  });
});

const anyAnswer: fc.Arbitrary<BidResponse | "never"> = fc.oneof(
  fc
    .integer({ min: -1, max: 2_000_000 })
    .map((priceMicros): BidResponse => ({ kind: "bid", priceMicros })),
  fc.constantFrom<BidResponse | "never">(
    "never",
    { kind: "noBid" },
    { kind: "noBid", nbr: 2 },
    { kind: "timeout", reason: "t" },
    { kind: "error", reason: "e" },
    { kind: "invalid", code: 3, reason: "i" },
    { kind: "notAsked", reason: "n" },
  ),
);

/** Which states a journal's state may be explained by. */
const MEANING = {
  [BidderState.notAsked]: ["not_asked"],
  [BidderState.bid]: ["won", "lost"],
  [BidderState.noBid]: ["no_bid"],
  [BidderState.timeout]: ["timeout"],
  [BidderState.error]: ["error"],
  [BidderState.invalid]: ["invalid"],
};

test("each bidder ends in exactly one state, the one that is counted", async () => {
  const shapes = fc.record({
    bidders: fc.array(fc.tuple(fc.constantFrom("US", "GB"), anyAnswer), { maxLength: 12 }),
    floor: fc.constantFrom(0, 0.5, 1),
    auction: fc.constantFrom("first_price" as const, "second_price" as const),
  });
  await fc.assert(
    fc.asyncProperty(shapes, async ({ bidders, floor, auction }) => {
      const ids = bidders.map((_, i) => `b${i}`);
      const documents = bidders.map(([country], i) => [ids[i]!, { country }] as const);
      const answers = Object.fromEntries(bidders.map(([, answer], i) => [ids[i]!, answer]));
      const supply = supplyWith(Object.fromEntries(documents), { floor, auction });
      const held = await holdScripted(supply, { answers });
      const rows = explain(held);

      expect(rows.map(({ bidderId }) => bidderId)).toEqual(ids);
      const won = rows.flatMap(({ state }, place) => (state === "won" ? [place] : []));
      expect(won).toEqual(held.winner < 0 ? [] : [held.winner]);
      rows.forEach(({ state }, place) => {
        const at = held.eligible.indexOf(place);
        const counted = at < 0 ? BidderState.notAsked : held.states[at]!;
        expect(MEANING[counted]).toContain(state);
      });
    }),
  );
});
