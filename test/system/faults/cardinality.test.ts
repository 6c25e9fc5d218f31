import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { clientAddress, formatBid, readStat } from "../../support/ledger.ts";
import { megabytes, residentBytes } from "../../support/memory.ts";
import { openConnection } from "../../support/raw-http.ts";
import type { TestRedis } from "../../support/redis.ts";
import { STORES, startStore } from "../../support/stores.ts";

setDefaultTimeout(180_000);

const REQUESTS = shortOrLong(20_000, 100_000);
const CONNECTIONS = 64;
/** Of three workers; a heap that keeps a hundred bytes of each request would not fit. */
const GROWTH_BYTES_MAX = 96 * 2 ** 20;
const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };

const random = () => Math.random().toString(36).slice(2);
const HOSTILE = ["__proto__", "constructor", "stats:{supply1}", "\u202e", "a\nb", "{}", "*"];
const supplyOf = (n: number) => (n % 100 === 0 ? HOSTILE[n % HOSTILE.length]! : `${n}-${random()}`);
const countryOf = (n: number) => ["US", "1A", "USA", "", "§§", random().slice(0, 2)][n % 6]!;

/** Sends so many bids over connections that stay open. @returns how often each status came */
async function send(port: number, count: number, bidOf: (n: number) => string) {
  const statuses: Record<number, number> = {};
  let sent = 0;
  const run = async () => {
    const connection = await openConnection(port);
    while (sent < count) {
      const { status } = await connection.ask(bidOf(sent++));
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, run));
  return statuses;
}

async function keysOf(redis: TestRedis | undefined): Promise<number> {
  if (!redis) return 0;
  const client = new Bun.RedisClient(redis.url);
  const size = Number(await client.send("DBSIZE", []));
  client.close();
  return size;
}

const statSize = async ({ url }: Exchange) => JSON.stringify(await readStat(url)).length;

describe.each(STORES)("on the store %s,", (kind) => {
  test("random supplies and countries leave no key and nothing in memory", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    const bidOf = (n: number) =>
      formatBid({ supplyId: supplyOf(n), country: countryOf(n), client: clientAddress(n) });
    await send(exchange.port, REQUESTS / 4, bidOf); // The code is compiled, the heaps are grown.
    const workers = exchange.workerPids();
    const before = {
      keys: await keysOf(store.redis),
      stat: await statSize(exchange),
      bytes: residentBytes(workers),
    };
    const statuses = await send(exchange.port, REQUESTS, bidOf);
    expect(Object.keys(statuses)).toEqual(["400", "422"]);
    expect(await keysOf(store.redis)).toBe(before.keys);
    expect(await statSize(exchange)).toBe(before.stat);
    expect(exchange.workerPids()).toEqual(workers);
    const growth = residentBytes(workers) - before.bytes;
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
    expect(exchange.stdout() + exchange.stderr()).not.toContain("__proto__");
    printFigures(`random supplies, ${kind}`, {
      requests: REQUESTS,
      "keys made": (await keysOf(store.redis)) - before.keys,
      "workers grew MB": megabytes(growth),
    });
  });

  test("countries of a known supply are counted in at most 676 fields", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const letter = () => letters[Math.floor(Math.random() * letters.length)]!;
    const bidOf = (n: number) =>
      formatBid({ supplyId: "supply1", country: letter() + letter(), client: clientAddress(n) });
    const count = REQUESTS / 2;
    const statuses = await send(exchange.port, count, bidOf);
    expect(Object.keys(statuses).filter((status) => !["200", "400"].includes(status))).toEqual([]);
    const { total_reqs, reqs_per_country } = (await readStat(exchange.url)).supply1!;
    expect(total_reqs).toBe(count);
    const fields = Object.keys(reqs_per_country);
    expect(fields.length).toBeLessThanOrEqual(676);
    expect(fields.filter((field) => !/^[A-Z]{2}$/.test(field))).toEqual([]);
    printFigures(`random countries, ${kind}`, { auctions: count, countries: fields.length });
  });
});
