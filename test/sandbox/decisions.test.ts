import { describe, expect, test } from "bun:test";
import { createDecisions, type Decision } from "../../src/sandbox/decisions.ts";
import { NO_BID_FORMS, type Profile } from "../../src/sandbox/profile.ts";
import { profileOf } from "../support/stubs.ts";

const DRAWS = 20_000;

function decide(written: Partial<Profile>, count = DRAWS, seed = 1, id = "bidder"): Decision[] {
  const next = createDecisions(id, profileOf(written), seed);
  return Array.from({ length: count }, next);
}

function shareOf(decisions: readonly Decision[], kind: Decision["kind"]): number {
  return decisions.filter((decision) => decision.kind === kind).length / decisions.length;
}

const LIVELY: Partial<Profile> = {
  bid_probability: 0.5,
  price: { min: 0.1, max: 2 },
  latency_ms: { median: 20, p99: 80 },
  no_bid: "any",
  misbehaviours: { hang: 0.1, negative_price: 0.2 },
};

describe("a sequence", () => {
  test("is the same for the same bidder and seed", () => {
    expect(decide(LIVELY, 200)).toEqual(decide(LIVELY, 200));
  });

  test("is another for another bidder or seed", () => {
    expect(decide(LIVELY, 200, 1, "other")).not.toEqual(decide(LIVELY, 200));
    expect(decide(LIVELY, 200, 2)).not.toEqual(decide(LIVELY, 200));
  });

  test("keeps its prices and latencies when only a probability changes", () => {
    const figures = (decisions: Decision[]) => decisions.map((d) => [d.priceCents, d.latencyMs]);
    const calm = decide({ ...LIVELY, bid_probability: 1, misbehaviours: {} }, 200);
    expect(figures(calm)).toEqual(figures(decide(LIVELY, 200)));
  });
});

describe("shares", () => {
  test("are those of the profile; a misbehaviour comes before a bid", () => {
    const decisions = decide(LIVELY);
    const expected = { hang: 0.1, negative_price: 0.2, bid: 0.35, no_bid: 0.35 };
    for (const [kind, share] of Object.entries(expected)) {
      // Five standard deviations of a binomial one, and always the same draws.
      const tolerance = 5 * Math.sqrt((share * (1 - share)) / DRAWS);
      const error = Math.abs(shareOf(decisions, kind as Decision["kind"]) - share);
      expect(error, kind).toBeLessThan(tolerance);
    }
  });

  test("of nothing and of everything are exact", () => {
    expect(shareOf(decide({}), "bid")).toBe(1);
    expect(shareOf(decide({ bid_probability: 0 }), "no_bid")).toBe(1);
    expect(shareOf(decide({ misbehaviours: { reset: 1 } }), "reset")).toBe(1);
  });
});

describe("the form of a no-bid", () => {
  test("is the one of the profile", () => {
    for (const no_bid of NO_BID_FORMS) {
      expect(new Set(decide({ no_bid }, 50).map((d) => d.noBidForm))).toEqual(new Set([no_bid]));
    }
  });

  test("is each of the five where any will do", () => {
    const forms = new Set(decide({ no_bid: "any" }, 200).map((d) => d.noBidForm));
    expect(forms).toEqual(new Set(NO_BID_FORMS));
  });
});

test("prices are whole cents and latencies whole milliseconds", () => {
  for (const { priceCents, latencyMs } of decide(LIVELY, 2_000)) {
    expect(Number.isInteger(priceCents) && Number.isInteger(latencyMs)).toBe(true);
  }
});
