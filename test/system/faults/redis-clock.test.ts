import { expect, setDefaultTimeout, test } from "bun:test";
import { mostAdmitted } from "../../support/admissions.ts";
import { startExchange } from "../../support/exchange.ts";
import { shortOrLong } from "../../support/faults.ts";
import { clientAddress, isHeld } from "../../support/ledger.ts";
import { DISTINCT, expectExactEnd } from "../../support/outage.ts";
import { startRedis } from "../../support/redis.ts";
import { startSteadyLoad, type TimedEntry, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const WINDOW_SECONDS = shortOrLong(2, 5);
const WINDOW_MS = WINDOW_SECONDS * 1000;
const MAX = 3;
const HOUR_MS = 3_600_000;
/** Back, forward twice, and back. */
const JUMPS_MS = [-HOUR_MS, HOUR_MS, HOUR_MS, -HOUR_MS / 60].slice(0, shortOrLong(2, 4));
const CLIENTS = 20;
/** What a busy machine may add to a wait. */
const LATE_MS_MAX = 2_000;

/**
 * What a jump of the clock does to everything that was recorded before: it is so much older, and
 * what was to expire has so much less time. The clock of a running server cannot be set.
 */
const JUMP = `
  local jump_ms = tonumber(ARGV[1])
  local keys = redis.call("KEYS", "rl:*")
  for _, key in ipairs(keys) do
    local members = redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
    for i = 1, #members, 2 do
      local score = string.format("%.0f", tonumber(members[i + 1]) - jump_ms * 1000)
      redis.call("ZADD", key, "XX", score, members[i])
    end
    redis.call("PEXPIRE", key, redis.call("PTTL", key) - jump_ms)
  end
  return #keys`;

/** The longest that a client who asks again and again was without an admission, milliseconds. */
function longestWait(answered: readonly TimedEntry[]): number {
  const lastMs = new Map<string | undefined, number>();
  let longest = 0;
  for (const { client, answeredMs } of answered.filter(isHeld)) {
    longest = Math.max(longest, answeredMs - (lastMs.get(client) ?? answeredMs));
    lastMs.set(client, answeredMs);
  }
  return Math.round(longest);
}

test("a Redis whose clock jumps blocks nobody for longer than a window, and grants one window more", async () => {
  await using redis = await startRedis();
  // The bound is that of Redis: on a busy machine no worker shall decide by itself meanwhile.
  const window = {
    RATE_LIMIT_WINDOW_SECONDS: String(WINDOW_SECONDS),
    RATE_LIMIT_DEADLINE_MS: "1000",
  };
  await using exchange = await startExchange({
    env: { REDIS_URL: redis.url, ...DISTINCT, ...window },
  });
  const admin = new Bun.RedisClient(redis.url);
  const bidOf = (n: number) => ({
    supplyId: "supply1",
    country: "US",
    client: clientAddress(n % CLIENTS),
  });
  const load = startSteadyLoad({ port: exchange.port, bidOf });
  await untilAnswered(load, 200);
  let moved = 0;
  for (const jumpMs of JUMPS_MS) {
    moved += (await admin.send("EVAL", [JUMP, "0", String(jumpMs)])) as number;
    const nextMs = performance.now() + 1.25 * WINDOW_MS;
    await until("the window after the jump", () => performance.now() > nextMs);
  }
  admin.close();
  expect(moved).toBeGreaterThan(CLIENTS);
  const figures = {
    jumps: JUMPS_MS.length,
    "most admitted": mostAdmitted(load.answered, WINDOW_MS),
    "longest wait ms": longestWait(load.answered),
  };
  await expectExactEnd("Redis clock jumps", exchange, load, figures);
  expect(figures["most admitted"]).toBeLessThanOrEqual(2 * MAX);
  expect(figures["longest wait ms"]).toBeLessThan(WINDOW_MS + LATE_MS_MAX);
});
