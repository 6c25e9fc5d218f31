import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Exchange, startExchange } from "../support/exchange.ts";

/** With whom `?explain=1` is heard: the environment, and whether a reason is given. */
const CASES = [
  [{ NODE_ENV: undefined }, true],
  [{ NODE_ENV: "production" }, false],
  [{ NODE_ENV: "production", EXPLAIN: "true" }, true],
  [{ NODE_ENV: undefined, EXPLAIN: "false" }, false],
] as const;
const BIDS = 40;

describe.each(CASES)("POST /bid?explain=1 of an exchange with %j", (env, isHeard) => {
  let exchange: Exchange;
  beforeAll(async () => {
    const settings = { RATE_LIMIT_MAX_REQUESTS: "0", WORKERS: "1", NO_BID_PROBABILITY: "0.5" };
    exchange = await startExchange({ env: { ...settings, ...env } });
  });
  afterAll(async () => {
    await exchange[Symbol.asyncDispose]();
  });

  const bid = (country: string) =>
    fetch(`${exchange.url}/bid?explain=1`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-country": country },
      body: JSON.stringify({ supply_id: "supply1" }),
    });

  test(`is ${isHeard ? "answered with the reason" : "answered as without it"}`, async () => {
    const seen = new Set<string>();
    for (let i = 0; i < BIDS; i++) {
      const response = await bid(i % 10 === 0 ? "FR" : "US");
      const { explain, ...answer } = (await response.json()) as {
        code?: string;
        winner?: string;
        price?: number;
        explain?: { auction_id: string; bidders: { bidder: string; state: string }[] };
      };
      seen.add(answer.code ?? "won");
      expect(explain !== undefined).toBe(isHeard);
      if (!explain) continue;
      expect(explain.auction_id).toBe(response.headers.get("x-request-id")!);
      expect(explain.bidders.map(({ bidder }) => bidder)).toEqual([
        "bidder1",
        "bidder2",
        "bidder3",
      ]);
      const winner = explain.bidders.find(({ state }) => state === "won")?.bidder;
      expect(winner).toBe(answer.winner!);
    }
    expect([...seen].sort()).toEqual(["no_bids", "no_eligible_bidders", "won"]);
  });
});
