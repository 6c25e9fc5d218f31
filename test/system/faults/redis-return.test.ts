import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { auctionsOf, heldOf } from "../../support/counting.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { createFolder } from "../../support/folder.ts";
import { formatBid, readStat } from "../../support/ledger.ts";
import {
  DISTINCT,
  expectExactEnd,
  expectStatUnavailable,
  readReadiness,
  untilCounted,
  untilFallback,
  untilStoreAgain,
} from "../../support/outage.ts";
import { askOnce, openConnection, type RawConnection } from "../../support/raw-http.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { type SteadyLoad, startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(180_000);

const AWAY_MS = shortOrLong(1_500, 30_000);
/** What is counted longer ago than the journals keep it; a little more, for the last release. */
const RELEASED_AFTER_MS = 13_000;
const PERSISTENT = ["--appendonly", "yes", "--appendfsync", "everysec"];
const CUT_BYTES = 60_000;

/** Redis away under load: bids go on, statistics wait. Ends when it is to be started again. */
async function stayAway(exchange: Exchange, load: SteadyLoad): Promise<void> {
  const awayMs = performance.now();
  await untilFallback(exchange);
  expect(await readReadiness(exchange)).toMatchObject({ status: 200, overall: "degraded" });
  await expectStatUnavailable(exchange);
  await untilAnswered(load, 100);
  await until("the end of the outage", () => performance.now() - awayMs > AWAY_MS, 60_000);
}

/** Cuts the end off the append-only file, as a power cut does with what was not synced. */
function cutTail({ dir }: TestRedis): void {
  const folder = join(dir, "appendonlydir");
  const name = readdirSync(folder).find((file) => file.endsWith(".incr.aof"))!;
  const { size } = statSync(join(folder, name));
  expect(size).toBeGreaterThan(2 * CUT_BYTES);
  truncateSync(join(folder, name), size - CUT_BYTES);
}

/** Auctions that a Redis with this folder has counted, by a server of its own on a copy of it. */
async function countedIn({ dir }: TestRedis): Promise<number> {
  using folder = createFolder();
  cpSync(dir, folder.dir, { recursive: true });
  await using copy = await startRedis(...PERSISTENT, "--dir", folder.dir);
  return await auctionsIn(copy);
}

async function auctionsIn({ url }: TestRedis): Promise<number> {
  const redis = new Bun.RedisClient(url);
  let auctions = 0;
  for (const id of (await redis.send("SMEMBERS", ["stats:supplies"])) as string[]) {
    auctions += Number(await redis.send("HGET", [`stats:{${id}}`, "total_reqs"]));
  }
  redis.close();
  return auctions;
}

describe("a Redis that is killed under load", () => {
  test.each(["as it was", "without the end of its file"])(
    "and comes back %s loses no count",
    async (how) => {
      await using redis = await startRedis(...PERSISTENT);
      await using exchange = await startExchange({ env: { REDIS_URL: redis.url, ...DISTINCT } });
      const load = startSteadyLoad({ port: exchange.port });
      await untilAnswered(load, 800);
      const figures: Record<string, number> = { "away ms": AWAY_MS };
      if (how === "as it was") {
        await redis.kill();
      } else {
        await untilCounted(exchange);
        const counted = await auctionsIn(redis);
        await redis.kill();
        cutTail(redis);
        figures["gone from Redis"] = counted - (await countedIn(redis));
        expect(figures["gone from Redis"]).toBeGreaterThan(0);
      }
      await stayAway(exchange, load);
      await redis.start();
      await untilStoreAgain(exchange);
      await untilCounted(exchange);
      await untilAnswered(load, 200);
      expect(await readReadiness(exchange)).toMatchObject({ status: 200, overall: "ok" });
      await expectExactEnd(`Redis SIGKILL, back ${how}`, exchange, load, figures);
    },
  );

  test("and comes back empty is reported, with the exact number of auctions that are gone", async () => {
    await using redis = await startRedis();
    const env = { REDIS_URL: redis.url, ...DISTINCT };
    // Counted by another service on this Redis, whose journals are not here.
    await using other = await startExchange({ env });
    const before = startSteadyLoad({ port: other.port });
    await untilAnswered(before, 300);
    await expectExactEnd("before the loss", other, before);

    await using exchange = await startExchange({ env });
    const load = startSteadyLoad({ port: exchange.port });
    const beganMs = performance.now();
    const isLongAgo = () => performance.now() - beganMs > RELEASED_AFTER_MS;
    await until("counted auctions leave the journals", isLongAgo, 30_000);
    await redis.kill();
    await stayAway(exchange, load);
    await redis.restart({ isEmptied: true });
    await untilStoreAgain(exchange);
    await untilCounted(exchange);
    const told = /"auctions":"(\d+)","msg":"the store came back without these auctions"/;
    await until("the loss is told", () => told.test(exchange.stdout()));
    const lost = Number(told.exec(exchange.stdout())![1]);
    await untilAnswered(load, 200);
    await load.stop();

    expect(exchange.printed("the store came back without these auctions")).toBe(1);
    const { status, overall, checks } = await readReadiness(exchange);
    expect({ status, overall }).toEqual({ status: 200, overall: "degraded" });
    expect(checks.statistics!.detail).toBe(`${lost} auctions lost by the store`);
    const earlier = heldOf(before.answered);
    expect(lost).toBeGreaterThan(earlier);
    const held = earlier + heldOf(load.answered);
    const counted = auctionsOf(await readStat(exchange.url));
    const figures = {
      answered: held,
      unknown: load.unknown.length,
      counted,
      "reported lost": lost,
    };
    printFigures("Redis back empty", { ...figures, difference: counted + lost - held });
    expect(counted + lost).toBe(held);
    expect(load.unknown).toEqual([]);
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });
});

describe("a Redis that is emptied", () => {
  const SUPPLIES = Array.from({ length: 600 }, (_, i) => `s${i}`);

  test("is looked through a few times, however many supplies have lost their counters", async () => {
    using folder = createFolder();
    const catalog = folder.path("catalog.json");
    const supplies = Object.fromEntries(SUPPLIES.map((id) => [id, ["b"]]));
    writeFileSync(catalog, JSON.stringify({ supplies, bidders: { b: { country: "US" } } }));
    await using redis = await startRedis();
    const client = new Bun.RedisClient(redis.url);
    await using exchange = await startExchange({
      env: { REDIS_URL: redis.url, CATALOG: catalog, RATE_LIMIT_MAX_REQUESTS: "0" },
    });
    // Kept open: it is one worker that has counted, and finds it gone.
    const connection = await openConnection(exchange.port);
    await bidForEach(connection);
    await untilCounted(exchange);
    const countedMs = performance.now();
    const isLongAgo = async () => {
      await connection.ask("GET /livez HTTP/1.1\r\nHost: exchange\r\n\r\n");
      return performance.now() - countedMs > RELEASED_AFTER_MS;
    };
    await until("counted auctions leave the journals", isLongAgo, 30_000);

    await client.send("FLUSHALL", []);
    await client.send("CONFIG", ["RESETSTAT"]);
    await bidForEach(connection);
    connection.close();
    const isTold = () => exchange.printed("the store came back without these auctions") > 0;
    await until("the loss is told", isTold, 30_000);
    await untilCounted(exchange);
    const told = exchange.stdout().matchAll(/"auctions":"(\d+)"/g);
    const lost = [...told].reduce((sum, [, auctions]) => sum + Number(auctions), 0);
    const counted = auctionsOf(await readStat(exchange.url));
    expect(counted + lost).toBe(2 * SUPPLIES.length);
    const stats = (await client.send("INFO", ["commandstats"])) as string;
    const reads = Number(/cmdstat_hgetall:calls=(\d+)/.exec(stats)![1]);
    const passes = reads / SUPPLIES.length;
    printFigures("Redis emptied", { lost, counted, passes });
    expect(passes).toBeLessThan(30);
    expect(exchange.printed("records not restored")).toBeLessThan(SUPPLIES.length / 10);
    client.close();
  });

  test("is noticed where nothing is gone but what earlier runs counted", async () => {
    await using redis = await startRedis();
    const env = { REDIS_URL: redis.url, RATE_LIMIT_MAX_REQUESTS: "0" };
    await using earlier = await startExchange({ env });
    await bidFor(earlier, 40);
    await untilCounted(earlier);
    await earlier.stop();

    await using exchange = await startExchange({ env });
    await bidFor(exchange, 10);
    await untilCounted(exchange);
    const client = new Bun.RedisClient(redis.url);
    await client.send("FLUSHALL", []);
    client.close();
    expect(auctionsOf(await readStat(exchange.url))).toBe(10);
    const isTold = () => exchange.printed('"auctions":"40"') === 1;
    await until("the loss is told", isTold, 30_000);
    const { checks } = await readReadiness(exchange);
    expect(checks.statistics!.detail).toBe("40 auctions lost by the store");
  });

  async function bidFor({ port }: Exchange, count: number): Promise<void> {
    const bid = formatBid({ supplyId: "supply1", country: "US" });
    for (let i = 0; i < count; i++) {
      expect((await askOnce(port, bid)).status).toBeOneOf([200, 400]);
    }
  }

  async function bidForEach(connection: RawConnection): Promise<void> {
    for (const supplyId of SUPPLIES) {
      const { status } = await connection.ask(formatBid({ supplyId, country: "US" }));
      expect(status).toBeOneOf([200, 400]);
    }
  }
});
