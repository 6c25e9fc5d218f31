import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BidderDocument } from "../../src/catalog/document.ts";
import { jsonAnswer, type SeenRequest, serveBidder } from "../support/bidder-server.ts";
import { runExchange, startExchange } from "../support/exchange.ts";
import { createFolder } from "../support/folder.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const SETTINGS = {
  WORKERS: "1",
  RATE_LIMIT_MAX_REQUESTS: "0",
  ALLOW_PRIVATE_BIDDERS: "true",
  EXPLAIN: "true",
};

/** A good answer to a bid request, with this price. */
function bidOf({ body }: SeenRequest, price: number) {
  const { id } = JSON.parse(body.toString()) as { id: string };
  return { pieces: [jsonAnswer({ id, seatbid: [{ bid: [{ id: "1", impid: "1", price }] }] })] };
}

const catalogOf = (bidders: Record<string, Partial<BidderDocument>>) =>
  JSON.stringify({
    supplies: { s: { bidders: Object.keys(bidders), domain: "example.com" } },
    bidders: Object.fromEntries(
      Object.entries(bidders).map(([id, settings]) => [id, { country: "US", ...settings }]),
    ),
  });

function writeCatalog(path: string, bidders: Record<string, Partial<BidderDocument>>): void {
  writeFileSync(`${path}.new`, catalogOf(bidders));
  renameSync(`${path}.new`, path);
}

interface Explained {
  winner?: string;
  price?: number;
  code?: string;
  explain: { bidders: { bidder: string; state: string; reason: string }[] };
}

async function bid(url: string, tmax = 1_000): Promise<Explained & { tookMs: number }> {
  const beganAtMs = performance.now();
  const response = await fetch(`${url}/bid?explain=1`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-country": "US", "user-agent": "test/1" },
    body: JSON.stringify({ supply_id: "s", tmax }),
  });
  const answer = (await response.json()) as Explained;
  return { ...answer, tookMs: performance.now() - beganAtMs };
}

describe("bidders behind HTTP", () => {
  test("are asked in parallel, and the best of those that answer in time wins", async () => {
    await using low = serveBidder((request) => bidOf(request, 0.4));
    await using high = serveBidder((request) => bidOf(request, 0.9));
    await using hung = serveBidder(() => undefined);
    await using broken = serveBidder(() => ({ end: "close" }));
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeCatalog(path, {
      low: { endpoint: low.url },
      high: { endpoint: high.url },
      hung: { endpoint: hung.url },
      broken: { endpoint: broken.url },
    });
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    const answer = await bid(exchange.url, 200);
    expect(answer).toMatchObject({ winner: "high", price: 0.9 });
    expect(answer.explain.bidders.map(({ bidder, state }) => [bidder, state])).toEqual([
      ["low", "lost"],
      ["high", "won"],
      ["hung", "timeout"],
      ["broken", "error"],
    ]);
    expect(answer.tookMs).toBeGreaterThanOrEqual(199);
    expect(JSON.parse(high.requests[0]!.body.toString())).toMatchObject({
      imp: [{ id: "1", bidfloor: 0 }],
      site: { domain: "example.com" },
      device: { ip: "127.0.0.0", ua: "test/1", geo: { country: "USA" } },
      at: 1,
      tmax: expect.any(Number),
    });
    const { tmax } = JSON.parse(high.requests[0]!.body.toString()) as { tmax: number };
    expect(tmax).toBeWithin(1, 198);
  });

  test("that fail show in readiness and are left alone, until they are well again", async () => {
    let isBroken = true;
    await using server = serveBidder((request) =>
      isBroken ? { end: "close" } : bidOf(request, 0.5),
    );
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeCatalog(path, { b: { endpoint: server.url } });
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    const ready = async () => {
      const response = await fetch(`${exchange.url}/readyz`);
      return (await response.json()) as { checks: { bidders: { status: string; detail: string } } };
    };
    for (let i = 0; i < 5; i++) await bid(exchange.url);
    expect((await bid(exchange.url)).explain.bidders[0]).toMatchObject({ state: "not_asked" });
    expect((await ready()).checks.bidders).toEqual({
      status: "degraded",
      detail: "1 not asked: b (breaker open, last failure: connection closed without an answer)",
    });
    expect(exchange.printed('"bidder is not asked"')).toBe(1);
    isBroken = false;
    await until("a trial succeeds", async () => (await bid(exchange.url)).winner === "b");
    expect((await ready()).checks.bidders.status).toBe("ok");
  });

  test("keep their connections over a swap that leaves them alone, and lose them with their entry", async () => {
    await using kept = serveBidder((request) => bidOf(request, 0.5));
    await using dropped = serveBidder((request) => bidOf(request, 0.4));
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    const stays = { kept: { endpoint: kept.url } };
    writeCatalog(path, { ...stays, dropped: { endpoint: dropped.url } });
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    await bid(exchange.url);
    expect([kept.open(), dropped.open()]).toEqual([1, 1]);
    writeCatalog(path, stays);
    await until("the bidder that left is not connected any more", () => dropped.open() === 0);
    expect((await bid(exchange.url)).explain.bidders.length).toBe(1);
    expect(kept.accepted()).toBe(1);
  });

  test("on private addresses are refused unless they are allowed", async () => {
    await using canary = serveBidder(() => undefined);
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeCatalog(path, { b: { endpoint: canary.url } });
    const refused = await runExchange(["check"], { env: { CATALOG: path } });
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain("#/bidders/b/endpoint: expected a public address");
    const served = await runExchange(["serve"], { env: { CATALOG: path, PORT: "0" } });
    expect(served.code).toBe(78);
    const allowed = { CATALOG: path, ALLOW_PRIVATE_BIDDERS: "true" };
    expect((await runExchange(["check"], { env: allowed })).code).toBe(0);
    expect(canary.accepted()).toBe(0);
  });

  test("cost nothing more when the client leaves: their calls are aborted", async () => {
    await using hung = serveBidder(() => undefined);
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeCatalog(path, { b: { endpoint: hung.url } });
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    const left = new AbortController();
    const answer = fetch(`${exchange.url}/bid`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-country": "US" },
      body: JSON.stringify({ supply_id: "s", tmax: 5_000 }),
      signal: left.signal,
    }).catch((error: Error) => error.name);
    await until("the bidder is asked", () => hung.requests.length === 1);
    left.abort();
    expect((await answer) as unknown).toBe("AbortError");
    await until("its call is aborted", () => hung.open() === 0, 3_000);
  });
});
