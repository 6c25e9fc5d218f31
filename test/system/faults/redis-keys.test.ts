import { expect, setDefaultTimeout, test } from "bun:test";
import { startExchange } from "../../support/exchange.ts";
import {
  DISTINCT,
  expectExactEnd,
  expectStatUnavailable,
  readReadiness,
  untilCounted,
} from "../../support/outage.ts";
import { startRedis } from "../../support/redis.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

type Counters = Record<string, string>;

test("keys that hold something else are named, written to by nobody, and no other supply waits for them", async () => {
  await using redis = await startRedis();
  const admin = new Bun.RedisClient(redis.url);
  await admin.send("SET", ["stats:{supply1}", "theirs"]);
  await admin.send("HSET", ["stats:{supply2}", "country:GB", "theirs"]);
  await using exchange = await startExchange({ env: { REDIS_URL: redis.url, ...DISTINCT } });
  const load = startSteadyLoad({ port: exchange.port });
  await untilAnswered(load, 200);
  const countedOf = async (id: string) =>
    Number(await admin.send("HGET", [`stats:{${id}}`, "total_reqs"]));
  const heldOf = (id: string) => load.answered.filter((entry) => entry.supplyId === id).length;

  for (const id of ["sports-live", "video-preroll", "travel-search"]) {
    const held = heldOf(id);
    expect(held).toBeGreaterThan(0);
    await until(`${id} is counted`, async () => (await countedOf(id)) >= held);
  }
  await until("the keys are named", () =>
    ["stats:{supply1} is not a hash", "a counter of supply2"].every((text) =>
      exchange.printed(text),
    ),
  );
  await expectStatUnavailable(exchange);
  expect(await readReadiness(exchange)).toMatchObject({ status: 200 });
  expect(await admin.send("GET", ["stats:{supply1}"])).toBe("theirs");
  // What came without the broken counter was counted, whole; no auction with it was, in no part.
  const spoilt = Object.entries((await admin.send("HGETALL", ["stats:{supply2}"])) as Counters);
  const sumOf = (prefix: string) =>
    spoilt.reduce((sum, [field, n]) => sum + (field.startsWith(prefix) ? Number(n) || 0 : 0), 0);
  expect(Object.fromEntries(spoilt)["country:GB"]).toBe("theirs");
  expect(sumOf("country:")).toBe(sumOf("total_reqs"));
  expect(sumOf("offset:")).toBe(sumOf("total_reqs"));

  const waited = heldOf("supply1") + heldOf("supply2");
  await admin.send("DEL", ["stats:{supply1}"]);
  await admin.send("HDEL", ["stats:{supply2}", "country:GB"]);
  await untilCounted(exchange);
  await untilAnswered(load, 100);
  admin.close();
  await expectExactEnd("wrong types under two keys", exchange, load, { waited });
});
