import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { auctionsOf, heldOf } from "../../support/counting.ts";
import { startExchange } from "../../support/exchange.ts";
import { shortOrLong } from "../../support/faults.ts";
import { readStat } from "../../support/ledger.ts";
import {
  DISTINCT,
  expectExactEnd,
  readReadiness,
  untilCounted,
  untilFallback,
  untilStoreAgain,
} from "../../support/outage.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const ANSWERS_MEANWHILE = shortOrLong(500, 3_000);
/** Room for the windows of some hundred clients. */
const ROOM_BYTES = 60_000;

async function openAdmin(redis: TestRedis) {
  const client = new Bun.RedisClient(redis.url);
  const infoOf = async (name: string) => {
    const info = (await client.send("INFO", [])) as string;
    return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)![1]);
  };
  return {
    infoOf,
    setMemory: (bytes: number) => client.send("CONFIG", ["SET", "maxmemory", String(bytes)]),
    [Symbol.dispose]: () => client.close(),
  };
}

describe("a Redis out of memory", () => {
  test("that refuses writes stops no bid and loses no count", async () => {
    await using redis = await startRedis("--maxmemory-policy", "noeviction");
    await using exchange = await startExchange({ env: { REDIS_URL: redis.url, ...DISTINCT } });
    using admin = await openAdmin(redis);
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 200);
    await admin.setMemory((await admin.infoOf("used_memory")) + ROOM_BYTES);
    await until("the first refusal", () => exchange.stdout().includes("OOM command not allowed"));
    await admin.setMemory(ROOM_BYTES); // Else it comes and goes with the clients' buffers.
    await untilFallback(exchange);
    await untilAnswered(load, ANSWERS_MEANWHILE);
    const answeredThen = heldOf(load.answered);
    expect(auctionsOf(await readStat(exchange.url))).toBeGreaterThanOrEqual(answeredThen);
    expect(await readReadiness(exchange)).toMatchObject({ status: 200, overall: "degraded" });
    await admin.setMemory(0);
    await untilStoreAgain(exchange);
    await untilCounted(exchange);
    await untilAnswered(load, 200);
    await expectExactEnd("Redis out of memory, noeviction", exchange, load);
  });

  test("that evicts what expires gives up windows, never statistics", async () => {
    await using redis = await startRedis("--maxmemory-policy", "volatile-ttl");
    await using exchange = await startExchange({ env: { REDIS_URL: redis.url, ...DISTINCT } });
    using admin = await openAdmin(redis);
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 200);
    await admin.setMemory((await admin.infoOf("used_memory")) + ROOM_BYTES);
    await until("an eviction", async () => (await admin.infoOf("evicted_keys")) > 0);
    await untilAnswered(load, ANSWERS_MEANWHILE);
    const answered = heldOf(load.answered);
    expect(auctionsOf(await readStat(exchange.url))).toBeGreaterThanOrEqual(answered);
    const evicted = await admin.infoOf("evicted_keys");
    await expectExactEnd("Redis out of memory, volatile-ttl", exchange, load, { evicted });
  });
});
