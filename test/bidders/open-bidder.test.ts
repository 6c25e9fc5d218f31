import { expect, test } from "bun:test";
import { createBidderOpener } from "../../src/bidders/open-bidder.ts";
import type { BidderDocument } from "../../src/catalog/document.ts";
import { bidRequestOf, supplyWith } from "../support/auctions.ts";
import { jsonAnswer, serveBidder } from "../support/bidder-server.ts";
import { ask } from "../support/http-bidders.ts";
import { until } from "../support/until.ts";

/** A bidder as a worker opens it, and what it logs. */
function opened(settings: Partial<BidderDocument>, noBidProbability = 1) {
  const lines: string[] = [];
  const openBidder = createBidderOpener(
    {
      simulation: { noBidProbability, latency: { leastMs: 0, mostMs: 0 } },
      egress: { allowPrivate: true },
      workers: 1,
      priceMax: 1_000,
      deviceIp: "truncated",
    },
    {
      warn: (facts: object, text: string) => void lines.push(`${text} ${JSON.stringify(facts)}`),
      info: (facts: object, text: string) => void lines.push(`${text} ${JSON.stringify(facts)}`),
    } as never,
  );
  const [entry] = supplyWith({ b: { country: "US", ...settings } }).bidders;
  return { bidder: openBidder(entry!), lines };
}

const REQUEST = bidRequestOf(supplyWith({ b: { country: "US" } }));

test("a bidder without an endpoint is simulated, by the settings of the service", () => {
  expect(opened({}).bidder.bid(REQUEST)).toEqual({ kind: "noBid" });
  expect(opened({}, 0).bidder.bid(REQUEST)).toMatchObject({ kind: "bid" });
});

test("what its entry says goes before the settings", async () => {
  expect(opened({ no_bid_probability: 0 }).bidder.bid(REQUEST)).toMatchObject({ kind: "bid" });
  expect(opened({ wait: false }).bidder.isAwaited).toBe(false);
  const slow = opened({ latency_ms: "20-20", timeout_ms: 5 }).bidder;
  expect(await slow.bid(REQUEST)).toEqual({ kind: "timeout", reason: "no answer within 5 ms" });
  expect(await opened({ latency_ms: "1-1" }).bidder.bid(REQUEST)).toEqual({ kind: "noBid" });
});

test("a bidder with an endpoint is called, and its breaker is heard in the log", async () => {
  let isBroken = true;
  await using server = serveBidder(() => ({
    pieces: [isBroken ? jsonAnswer("?") : jsonAnswer({})],
  }));
  const { bidder, lines } = opened({ endpoint: server.url });
  for (let i = 0; i < 5; i++) await ask(bidder).answer;
  await until("the breaker opens", () => lines.length === 1);
  const cause = 'breaker open, last failure: body "?", expected JSON';
  expect(lines).toEqual([`bidder is not asked ${JSON.stringify({ bidder: "b", cause })}`]);
  isBroken = false;
  await until("a trial finds it well", async () => (await ask(bidder).answer).kind === "noBid");
  await until("the breaker closes", () => lines.length === 2);
  expect(lines[1]).toBe(`bidder is asked again ${JSON.stringify({ bidder: "b" })}`);
});
