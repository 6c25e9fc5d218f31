import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Exchange, startExchange } from "../support/exchange.ts";
import {
  clientAddress,
  formatBid,
  holdAuctions,
  type LedgerEntry,
  readAnswer,
  readStat,
  type Stat,
  totalsOf,
  totalsOfStat,
  workerOf,
} from "../support/ledger.ts";
import { askOnce } from "../support/raw-http.ts";
import { STORES, startStore, type TestStore } from "../support/stores.ts";

setDefaultTimeout(60_000);

const BIDS = 20_000;
const CONNECTIONS = 64;
const READS = 1_000;
const COUNTRIES = ["US", "GB", "DE", "FR", "CA", "AU", "JP", "BR", "se", "zz"];
const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };

const GET_STAT = { method: "GET", path: "/stat" };
const CENT_MICROS = 10_000;

const auctionsOf = (stat: Stat) =>
  Object.values(stat).reduce((sum, { total_reqs }) => sum + total_reqs, 0);

describe.each(STORES)("GET /stat, on the store %s,", (kind) => {
  let store: TestStore;
  let exchange: Exchange;
  let supplyIds: string[];
  /** Every answer to a bid of this block. */
  const entries: LedgerEntry[] = [];
  beforeAll(async () => {
    store = await startStore(kind);
    exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    supplyIds = Object.keys(await readStat(exchange.url));
  });
  afterAll(async () => {
    await exchange[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  let clients = 0;
  const bidOf = (n: number) => ({
    supplyId: supplyIds[n % supplyIds.length]!,
    country: COUNTRIES[Math.floor(n / supplyIds.length) % COUNTRIES.length]!,
    client: clientAddress(++clients),
  });

  test("has every supply and bidder of the catalog, zeros included, in its order", async () => {
    const catalog = await Bun.file("data/catalog.json").json();
    const nothing = { wins: 0, total_revenue: 0, no_bids: 0, timeouts: 0 };
    const zero = { ...nothing, errors: 0, invalid: 0, bids: 0 };
    const stat = await readStat(exchange.url);
    expect(Object.keys(stat)).toEqual(Object.keys(catalog.supplies));
    for (const [id, { total_reqs, reqs_per_country, bidders }] of Object.entries(stat)) {
      expect({ total_reqs, reqs_per_country }).toEqual({ total_reqs: 0, reqs_per_country: {} });
      expect(Object.keys(bidders)).toEqual(catalog.supplies[id]);
      expect(new Set(Object.values(bidders).map((b) => JSON.stringify(b)))).toEqual(
        new Set([JSON.stringify(zero)]),
      );
    }
  });

  test("equals the sum of 20,000 answers over 64 connections, to the cent", async () => {
    const load = { port: exchange.port, count: BIDS, connections: CONNECTIONS, bidOf };
    entries.push(...(await holdAuctions(load)));
    expect(entries).toHaveLength(BIDS);
    expect(new Set(entries.map(({ status }) => status))).toEqual(new Set([200, 400]));
    expect(new Set(entries.map(({ worker }) => worker)).size).toBe(3);
    expect(await readTotals()).toEqual(expectedTotals());

    for (const { priceMicros } of entries.filter(({ status }) => status === 200)) {
      expect(priceMicros! % CENT_MICROS).toBe(0);
      expect(priceMicros! / CENT_MICROS).toBeWithin(1, 101);
    }
    // bidder2 is the only one of supply1 in its country: it won, or it declined.
    const { bidders, reqs_per_country } = (await readStat(exchange.url)).supply1!;
    const { wins, bids, no_bids, timeouts } = bidders.bidder2!;
    expect(bids).toBe(wins);
    expect({ sum: wins + no_bids, timeouts }).toEqual({ sum: reqs_per_country.GB!, timeouts: 0 });
  });

  test("shows a bid answered on another connection, 1,000 times of 1,000", async () => {
    const held = new Map<string, number>();
    for (const { supplyId } of entries) held.set(supplyId, (held.get(supplyId) ?? 0) + 1);
    const pairs = new Set<string>();
    let misses = 0;
    for (let n = 0; n < READS; n++) {
      const bid = bidOf(n);
      const answer = await askOnce(exchange.port, formatBid(bid));
      entries.push(readAnswer(bid, answer));
      held.set(bid.supplyId, (held.get(bid.supplyId) ?? 0) + 1);
      const isNarrow = n % 2 === 0;
      const path = isNarrow ? `/stat?supply=${bid.supplyId}` : "/stat";
      const read = await askOnce(exchange.port, { ...GET_STAT, path });
      const stat = JSON.parse(read.body) as Stat;
      const expected = isNarrow ? held.get(bid.supplyId)! : entries.length;
      if (auctionsOf(stat) !== expected) misses++;
      pairs.add(`${workerOf(answer)} ${workerOf(read)}`);
    }
    expect(misses).toBe(0);
    expect(pairs.size).toBe(9); // Every worker was asked about a bid of every worker.
    expect(await readTotals()).toEqual(expectedTotals());
  });

  test("never lags behind the answers while bids and readers come at once", async () => {
    const before = entries.length;
    let isOver = false;
    const load = holdAuctions({
      port: exchange.port,
      count: 3_000,
      connections: 16,
      bidOf,
      onAnswer: (entry) => void entries.push(entry),
    }).finally(() => (isOver = true));
    let reads = 0;
    const reader = async () => {
      while (!isOver) {
        const answered = entries.length;
        const stat = await readStat(exchange.url);
        const counted = auctionsOf(stat);
        expect(counted).toBeGreaterThanOrEqual(answered);
        expect(counted).toBeLessThanOrEqual(before + 3_000);
        reads++;
      }
    };
    await Promise.all([load, ...Array.from({ length: 8 }, reader)]);
    expect(reads).toBeGreaterThan(8);
    expect(await readTotals()).toEqual(expectedTotals());
  });

  test("gives 50 concurrent callers the same answer", async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => askOnce(exchange.port, GET_STAT)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(new Set(answers.map(({ headers }) => headers.get("etag"))).size).toBe(1);
  });

  test("is 304 for the ETag it gave, until another auction is held", async () => {
    const first = await askOnce(exchange.port, GET_STAT);
    const etag = first.headers.get("etag")!;
    expect(etag).toMatch(/^"[^"]+"$/);
    const askAgain = (tags: string) =>
      askOnce(exchange.port, { ...GET_STAT, headers: { "If-None-Match": tags } });
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await askAgain(tags);
      expect(again.status).toBe(304);
      expect(again.size).toBe(0);
      expect(again.headers.get("etag")).toBe(etag);
    }
    expect((await askAgain('"other"')).status).toBe(200);
    entries.push(readAnswer(bidOf(0), await askOnce(exchange.port, formatBid(bidOf(0)))));
    const changed = await askAgain(etag);
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).not.toBe(etag);
  });

  test("is narrowed by ?supply=, and 404 for one that nobody knows", async () => {
    const whole = await readStat(exchange.url);
    for (const id of supplyIds) {
      expect(await readStat(exchange.url, `?supply=${id}`)).toEqual({ [id]: whole[id]! });
    }
    for (const id of ["nobody", "__proto__", "constructor", ""]) {
      const answer = await askOnce(exchange.port, { ...GET_STAT, path: `/stat?supply=${id}` });
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body).code).toBe("not_found");
    }
  });

  test("may be as old as STAT_CACHE_MS, says so, and is exact otherwise", async () => {
    const env = { ...DISTINCT, STAT_CACHE_MS: "600000", WORKERS: "1" };
    await using cached = await startExchange({ env });
    const first = await askOnce(cached.port, GET_STAT);
    expect(first.headers.get("cache-control")).toBe("max-age=600");
    expect(first.headers.get("age")).toBe("0");
    await askOnce(cached.port, formatBid(bidOf(0)));
    const second = await askOnce(cached.port, GET_STAT);
    expect(second.body).toBe(first.body);
    expect(Number(second.headers.get("age"))).toBeGreaterThanOrEqual(0);
    expect((await askOnce(exchange.port, GET_STAT)).headers.has("age")).toBe(false);
  });

  /** Countries are counted in upper case. */
  const expectedTotals = () =>
    totalsOf(entries.map((entry) => ({ ...entry, country: entry.country.toUpperCase() })));
  const readTotals = async () => totalsOfStat(await readStat(exchange.url));
});
