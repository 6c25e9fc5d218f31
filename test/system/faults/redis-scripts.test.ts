import { expect, setDefaultTimeout, test } from "bun:test";
import { startExchange } from "../../support/exchange.ts";
import { shortOrLong } from "../../support/faults.ts";
import { DISTINCT, expectExactEnd } from "../../support/outage.ts";
import { startRedis } from "../../support/redis.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";

setDefaultTimeout(120_000);

const FLUSH_EVERY_MS = 50;
const FLUSHES = shortOrLong(50, 400);

test("a Redis that forgets its scripts each 50 ms is told them again, and nobody notices", async () => {
  await using redis = await startRedis();
  // The script is sent twice then: on a busy machine that takes longer than a healthy Redis does.
  const env = { REDIS_URL: redis.url, ...DISTINCT, RATE_LIMIT_DEADLINE_MS: "1000" };
  await using exchange = await startExchange({ env });
  const load = startSteadyLoad({ port: exchange.port });
  await untilAnswered(load, 100);
  const admin = new Bun.RedisClient(redis.url);
  for (let flush = 0; flush < FLUSHES; flush++) {
    await admin.send("SCRIPT", ["FLUSH"]);
    await Bun.sleep(FLUSH_EVERY_MS);
  }
  admin.close();
  await untilAnswered(load, 100);
  expect(exchange.printed('"limiter without its store"')).toBe(0);
  expect(exchange.printed('"statistics wait in the journal"')).toBe(0);
  await expectExactEnd("SCRIPT FLUSH", exchange, load, { flushes: FLUSHES });
});
