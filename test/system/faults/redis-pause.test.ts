import { describe, expect, setDefaultTimeout, test } from "bun:test";
import restoreSource from "../../../src/store/redis/lua/restore.lua" with { type: "text" };
import { auctionsOf, heldOf } from "../../support/counting.ts";
import { startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import {
  clientAddress,
  formatBid,
  isHeld,
  type LedgerEntry,
  readAnswer,
  readStat,
} from "../../support/ledger.ts";
import {
  DISTINCT,
  expectExactEnd,
  expectStatUnavailable,
  readReadiness,
  untilCounted,
  untilFallback,
  untilStoreAgain,
} from "../../support/outage.ts";
import { openConnection } from "../../support/raw-http.ts";
import { startRedis } from "../../support/redis.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const PAUSE_MS = shortOrLong(2_500, 5_000);
const MAX = 3;
const WINDOW_SECONDS = 60;

describe("a Redis that stands still", () => {
  test("stops no bid: GET /stat says so, and is exact once Redis goes on", async () => {
    await using redis = await startRedis();
    await using exchange = await startExchange({ env: { REDIS_URL: redis.url, ...DISTINCT } });
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 300);
    process.kill(redis.pid, "SIGSTOP");
    const stoppedMs = performance.now();
    let unavailable = 0;
    await until("the end of the pause", async () => {
      const readiness = await readReadiness(exchange);
      expect(readiness).toMatchObject({ status: 200, overall: "degraded" });
      expect(readiness.checks.store!.status).toBe("degraded");
      await expectStatUnavailable(exchange);
      unavailable++;
      return performance.now() - stoppedMs > PAUSE_MS;
    });
    await untilFallback(exchange);
    process.kill(redis.pid, "SIGCONT");
    await untilStoreAgain(exchange);
    await untilCounted(exchange);
    await untilAnswered(load, 200);
    const answered = heldOf(load.answered);
    expect(auctionsOf(await readStat(exchange.url))).toBeGreaterThanOrEqual(answered);
    expect(await readReadiness(exchange)).toMatchObject({ status: 200, overall: "ok" });
    await expectExactEnd("Redis SIGSTOP", exchange, load, { "503 of /stat": unavailable });
  });

  test("takes no quota for the calls that it finds when it goes on, and for no longer than a window", async () => {
    await using redis = await startRedis();
    // A busy machine alone shall not look like the pause.
    const env = { REDIS_URL: redis.url, ...DISTINCT, RATE_LIMIT_DEADLINE_MS: "200" };
    await using exchange = await startExchange({ env });
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => openConnection(exchange.port)),
    );
    /** Those of the first half are known to Redis before it stands still. */
    const clients = Array.from({ length: 60 }, (_, n) => clientAddress(n));
    const admitted = new Map<string, { count: number; sinceMs: number }>();

    /** One bid of each client over all connections, and so all workers, at once. */
    async function bidOfEach(some: readonly string[]) {
      const askedMs = performance.now();
      const asked = connections.map(async (connection, i) => {
        const answers: (LedgerEntry & { limit: string })[] = [];
        for (const client of some.filter((_, n) => n % connections.length === i)) {
          const bid = { supplyId: "supply1", country: "US", client };
          const answer = await connection.ask(formatBid(bid));
          answers.push({ ...readAnswer(bid, answer), limit: answer.headers.get("ratelimit")! });
        }
        return answers;
      });
      const answers = (await Promise.all(asked)).flat();
      for (const answer of answers) {
        if (!isHeld(answer)) expect(answer.code).toBe("rate_limited");
        else {
          const { count, sinceMs } = admitted.get(answer.client!) ?? { count: 0, sinceMs: askedMs };
          admitted.set(answer.client!, { count: count + 1, sinceMs });
        }
      }
      return answers;
    }

    // As after an earlier outage: else the calls that put admissions back are refused unread.
    const admin = new Bun.RedisClient(redis.url);
    await admin.send("SCRIPT", ["LOAD", restoreSource]);
    admin.close();
    await bidOfEach(clients.slice(0, 30));
    process.kill(redis.pid, "SIGSTOP");
    const stoppedMs = performance.now();
    await until("the end of the pause", async () => {
      const from = Math.floor(Math.random() * clients.length);
      await bidOfEach([...clients.slice(from), ...clients.slice(0, from)]);
      return performance.now() - stoppedMs > PAUSE_MS;
    });
    process.kill(redis.pid, "SIGCONT");
    await untilStoreAgain(exchange);

    const before = new Map(admitted);
    let wrong = 0;
    for (const answer of await bidOfEach(clients)) {
      const { count, sinceMs } = before.get(answer.client!)!;
      const [, left, seconds] = /^"ip";r=(\d+);t=(\d+)$/.exec(answer.limit)!;
      if (Number(left) !== Math.max(0, MAX - count - 1) || isHeld(answer) !== count < MAX) wrong++;
      const sinceSeconds = (performance.now() - sinceMs) / 1000;
      // It was admitted a little later than it was asked for.
      expect(Number(seconds)).toBeLessThanOrEqual(Math.ceil(WINDOW_SECONDS - sinceSeconds) + 1);
    }
    const most = Math.max(...[...before.values()].map(({ count }) => count));
    printFigures("quota after Redis SIGSTOP", { clients: 60, "most admitted": most, wrong });
    expect(wrong).toBe(0);
    for (const connection of connections) connection.close();
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });
});
