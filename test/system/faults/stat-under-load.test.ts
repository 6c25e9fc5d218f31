import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { within } from "../../../src/actor/within.ts";
import { auctionsOf, expectCountedOnce, heldOf } from "../../support/counting.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { readStat, type Stat } from "../../support/ledger.ts";
import { askOnce } from "../../support/raw-http.ts";
import type { TestRedis } from "../../support/redis.ts";
import { type SteadyLoad, startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { STORES, startStore } from "../../support/stores.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const GET_STAT = { method: "GET", path: "/stat" };
const AT_ONCE = 200;
const ROUNDS = shortOrLong(3, 20);
/** One of each worker may run while the callers come in, one waits, and one comes late. */
const READS_MAX_PER_ROUND = 9;
const READ_EVERY_MS = 75;
/** The contract's 1.5 s, and what a busy machine adds. */
const ANSWER_MS_MAX = 2_500;

interface Reading {
  readonly status: number;
  /** Auctions counted; of a 200 only. */
  readonly counted: number;
  /** Auctions answered before it was sent. */
  readonly heldBefore: number;
  readonly sentMs: number;
  readonly tookMs: number;
}

/** Reads GET /stat on a connection of its own. */
async function read(port: number, load: SteadyLoad): Promise<Reading> {
  const heldBefore = heldOf(load.answered);
  const sentMs = performance.now();
  const { status, body } = await askOnce(port, GET_STAT);
  const counted = status === 200 ? auctionsOf(JSON.parse(body) as Stat) : 0;
  return { status, counted, heldBefore, sentMs, tookMs: performance.now() - sentMs };
}

/** How often the set of counted supplies was read: once for each report that was made. */
async function reportsMade(redis: TestRedis): Promise<number> {
  const client = new Bun.RedisClient(redis.url);
  const stats = String(await client.send("INFO", ["commandstats"]));
  client.close();
  return Number(/cmdstat_smembers:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe.each(STORES)("GET /stat, on the store %s,", (kind) => {
  test("200 at a time under load is exact for each caller, and few reads serve them all", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 100);
    const before = store.redis ? await reportsMade(store.redis) : 0;
    const readings: Reading[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const all = Array.from({ length: AT_ONCE }, () => read(exchange.port, load));
      readings.push(...(await Promise.all(all)));
    }
    const made = store.redis ? (await reportsMade(store.redis)) - before : undefined;
    await load.stop();
    expect(new Set(readings.map(({ status }) => status))).toEqual(new Set([200]));
    const heldInAll = heldOf(load.answered);
    for (const { counted, heldBefore } of readings) {
      expect(counted).toBeGreaterThanOrEqual(heldBefore);
      expect(counted).toBeLessThanOrEqual(heldInAll);
    }
    // On a busy machine some callers come later still: a round's worth in all.
    if (made !== undefined) expect(made).toBeLessThanOrEqual((ROUNDS + 1) * READS_MAX_PER_ROUND);
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    expect(figures.unknown).toBe(0);
    const longestMs = Math.round(Math.max(...readings.map(({ tookMs }) => tookMs)));
    const reports = made === undefined ? {} : { "reports made": made };
    printFigures(`200 parallel GET /stat, ${kind}`, {
      rounds: ROUNDS,
      ...reports,
      "longest ms": longestMs,
      ...figures,
    });
  });

  test("goes on, exact, while a worker stands still, until it is replaced and after", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 100);
    const { readings, hungFromMs, hungToMs } = await readThroughAHang(exchange, load);
    await load.stop();

    let floor = 0;
    const bySending = readings.toSorted((a, b) => a.sentMs - b.sentMs);
    for (const { status, counted, heldBefore, sentMs, tookMs } of bySending) {
      expect([200, 503]).toContain(status);
      expect(tookMs).toBeLessThan(ANSWER_MS_MAX);
      if (status !== 200) continue;
      expect(counted).toBeGreaterThanOrEqual(heldBefore);
      // Monotone: whatever was told before this one was sent is in it.
      const told = bySending.filter((r) => r.status === 200 && r.sentMs + r.tookMs < sentMs);
      floor = Math.max(floor, ...told.map((r) => r.counted));
      expect(counted).toBeGreaterThanOrEqual(floor);
    }
    // Those that the worker itself was asked for were given up.
    const meanwhile = bySending.filter(
      ({ sentMs, tookMs }) => sentMs > hungFromMs && sentMs + tookMs < hungToMs,
    );
    expect(meanwhile.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    printFigures(`GET /stat over a hang, ${kind}`, {
      readings: readings.length,
      503: readings.filter(({ status }) => status === 503).length,
      "hung for ms": Math.round(hungToMs - hungFromMs),
      "answered meanwhile": meanwhile.length,
      ...figures,
    });
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });
});

/** Reads again and again while one worker stands still; those that it would answer are given up. */
async function readThroughAHang(exchange: Exchange, load: SteadyLoad) {
  const readings: Promise<Reading | undefined>[] = [];
  const readOn = async (isOver: () => boolean) => {
    while (!isOver()) {
      const reading = within(read(exchange.port, load), 10_000, "an answer");
      readings.push(reading.catch(() => undefined));
      await Bun.sleep(READ_EVERY_MS);
    }
  };
  const readFor = (ms: number) => {
    const untilMs = performance.now() + ms;
    return readOn(() => performance.now() >= untilMs);
  };
  await readFor(500);
  const hungFromMs = performance.now();
  process.kill(exchange.workerPids()[0]!, "SIGSTOP");
  await readOn(() => exchange.printed('"worker replaced"') === 1);
  const hungToMs = performance.now();
  await readFor(500);
  await until("the load goes on", () => load.answered.length > 0);
  const given = (await Promise.all(readings)).filter((reading) => reading !== undefined);
  return { readings: given, hungFromMs, hungToMs };
}
