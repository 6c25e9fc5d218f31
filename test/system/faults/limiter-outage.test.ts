import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mostAdmitted } from "../../support/admissions.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { clientAddress, formatBid, isHeld, readAnswer } from "../../support/ledger.ts";
import {
  DISTINCT,
  expectExactEnd,
  readReadiness,
  untilCounted,
  untilFallback,
  untilStoreAgain,
} from "../../support/outage.ts";
import { expectProblem } from "../../support/problems.ts";
import { openConnection, type RawConnection } from "../../support/raw-http.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const WINDOW_SECONDS = shortOrLong(2, 5);
const WINDOW_MS = WINDOW_SECONDS * 1000;
const MAX = 3;
const BOUND_ACROSS = 5;
const CLIENTS = 20;
/** What a process of a busy machine may be late. */
const LATE_MS_MAX = 2_000;

const settingsOf = (redis: TestRedis) => ({
  ...DISTINCT,
  REDIS_URL: redis.url,
  RATE_LIMIT_WINDOW_SECONDS: String(WINDOW_SECONDS),
});

/** A killed Redis is noticed at once; one that is only slow, on a busy machine, is not one. */
const PATIENT = { RATE_LIMIT_DEADLINE_MS: "1000" };

/** Each client bids again and again, by whatever worker. */
const bidOf = (n: number) => ({
  supplyId: "supply1",
  country: "US",
  client: clientAddress(n % CLIENTS),
});

async function pass(ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  await until("the end of a window", () => performance.now() >= untilMs, ms + 5_000);
}

describe("the limit of 3 workers whose Redis is gone", () => {
  test("is 3 during the outage, and 5 across its beginning and its end", async () => {
    await using redis = await startRedis();
    await using exchange = await startExchange({ env: { ...settingsOf(redis), ...PATIENT } });
    const load = startSteadyLoad({ port: exchange.port, rate: 480, bidOf });
    const most = (from: number, to: number) =>
      mostAdmitted(
        load.answered.filter(({ sentMs, answeredMs }) => sentMs >= from && answeredMs <= to),
        WINDOW_MS,
      );
    await untilAnswered(load, 100);
    await pass(WINDOW_MS);
    const killedMs = performance.now();
    await redis.kill();
    await untilFallback(exchange);
    const awayMs = performance.now();
    await pass(1.5 * WINDOW_MS);
    const startedMs = performance.now();
    await redis.start();
    await untilStoreAgain(exchange);
    await pass(1.5 * WINDOW_MS);
    const endMs = performance.now();

    const figures = {
      "with Redis": most(0, killedMs),
      "across its end": most(0, startedMs),
      without: most(awayMs + WINDOW_MS / 2, startedMs),
      "across its return": most(awayMs + WINDOW_MS / 2, endMs),
    };
    await expectExactEnd("most admitted of one client", exchange, load, figures);
    expect(figures["with Redis"]).toBe(MAX);
    expect(figures.without).toBeLessThanOrEqual(MAX);
    expect(figures.without).toBeGreaterThan(0);
    expect(figures["across its end"]).toBeLessThanOrEqual(BOUND_ACROSS);
    expect(figures["across its return"]).toBeLessThanOrEqual(BOUND_ACROSS);
  });

  test("stays exact for a client that was refused before, until its time is over", async () => {
    await using redis = await startRedis();
    await using exchange = await startExchange({ env: { ...settingsOf(redis), ...PATIENT } });
    const others = startSteadyLoad({ port: exchange.port });
    await untilAnswered(others, 100);
    const connection = await openConnection(exchange.port); // One worker answers on it.
    const bid = { supplyId: "supply1", country: "US", client: clientAddress(0xffff00) };
    const ask = async () => readAnswer(bid, await connection.ask(formatBid(bid)));

    const sentMs = performance.now();
    expect(isHeld(await ask())).toBe(true);
    const admittedMs = performance.now();
    for (let n = 1; n < MAX; n++) expect(isHeld(await ask())).toBe(true);
    expect((await ask()).code).toBe("rate_limited");
    await redis.kill();
    let refusals = 0;
    let askedMs = 0;
    await until("an admission", async () => {
      askedMs = performance.now();
      const entry = await ask();
      if (isHeld(entry)) return true;
      expect(entry.code).toBe("rate_limited");
      refusals++;
      return false;
    });
    expect(performance.now() - sentMs).toBeGreaterThanOrEqual(WINDOW_MS * 0.999);
    expect(askedMs - admittedMs).toBeLessThan(WINDOW_MS + LATE_MS_MAX);
    const early = Math.round(performance.now() - sentMs - WINDOW_MS);
    printFigures("refused before the outage", { refusals, "admitted after its time, ms": early });
    connection.close();
    await redis.start();
    await others.stop();
    await untilCounted(exchange);
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });
});

describe("RATE_LIMIT_ON_ERROR", () => {
  async function bidOften(connections: readonly RawConnection[], client: string) {
    const bid = { supplyId: "supply1", country: "US", client };
    return Promise.all(connections.map((connection) => connection.ask(formatBid(bid))));
  }
  const openMany = ({ port }: Exchange) =>
    Promise.all(Array.from({ length: 24 }, () => openConnection(port)));

  test("=open admits everybody without Redis, and says what the limit is", async () => {
    await using redis = await startRedis();
    const env = { ...settingsOf(redis), RATE_LIMIT_ON_ERROR: "open" };
    await using exchange = await startExchange({ env });
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 100);
    await redis.kill();
    await untilFallback(exchange);
    const connections = await openMany(exchange);
    const answers = await bidOften(connections, clientAddress(0xffff00));
    expect(answers.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
    for (const { headers } of answers) {
      expect(headers.get("ratelimit")).toBe(`"ip";r=${MAX};t=${WINDOW_SECONDS}`);
    }
    expect(await readReadiness(exchange)).toMatchObject({ status: 200, overall: "degraded" });
    await redis.start();
    await untilStoreAgain(exchange);
    const again = await bidOften(connections, clientAddress(0xffff01));
    expect(again.filter(({ status }) => status === 429)).toHaveLength(again.length - MAX);
    for (const connection of connections) connection.close();
    const more = again.length - MAX;
    printFigures("RATE_LIMIT_ON_ERROR=open", {
      "admitted of 24": answers.length,
      "refused after": more,
    });
    await load.stop();
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });

  test("=closed refuses everybody without Redis, and uses no quota", async () => {
    await using redis = await startRedis();
    const env = {
      ...settingsOf(redis),
      RATE_LIMIT_ON_ERROR: "closed",
      RATE_LIMIT_WINDOW_SECONDS: "60",
    };
    await using exchange = await startExchange({ env });
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 100);
    const connections = await openMany(exchange);
    const client = clientAddress(0xffff00);
    const [first] = await bidOften(connections.slice(0, 1), client);
    expect(first!.headers.get("ratelimit")).toStartWith('"ip";r=2;');
    process.kill(redis.pid, "SIGSTOP");
    const refused = [];
    for (let turn = 0; turn < 10; turn++) refused.push(...(await bidOften(connections, client)));
    for (const answer of refused) {
      expectProblem(answer, 503, "overloaded");
      expect(answer.headers.get("retry-after")).toBe("1");
    }
    await untilFallback(exchange);
    expect(await readReadiness(exchange)).toMatchObject({ status: 503, overall: "unavailable" });
    process.kill(redis.pid, "SIGCONT");
    await untilStoreAgain(exchange);
    const [second] = await bidOften(connections.slice(1, 2), client);
    expect(second!.headers.get("ratelimit")).toStartWith('"ip";r=1;');
    for (const connection of connections) connection.close();
    await load.stop();
    const codes = new Set(load.answered.filter((e) => e.status >= 500).map(({ code }) => code));
    expect([...codes]).toEqual(["overloaded"]);
    printFigures("RATE_LIMIT_ON_ERROR=closed", { refused: refused.length, "quota used": 0 });
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });
});
