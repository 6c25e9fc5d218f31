import { expect } from "bun:test";
import { expectCountedOnce } from "./counting.ts";
import type { Exchange } from "./exchange.ts";
import { printFigures } from "./faults.ts";
import { readStat } from "./ledger.ts";
import { expectProblem } from "./problems.ts";
import { askOnce, type RawAnswer } from "./raw-http.ts";
import type { SteadyLoad, TimedEntry } from "./steady-load.ts";
import { until } from "./until.ts";

/** Settings of most exchanges here: clients are told apart by `X-Forwarded-For`. */
export const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };

const statOnce = ({ port }: Exchange): Promise<RawAnswer> =>
  askOnce(port, { method: "GET", path: "/stat" });

export async function expectStatUnavailable(exchange: Exchange): Promise<void> {
  expectProblem(await statOnce(exchange), 503, "stats_unavailable");
}

export async function readReadiness({ port }: Exchange) {
  const { status, body } = await askOnce(port, { method: "GET", path: "/readyz" });
  const { status: overall, checks } = JSON.parse(body) as Readiness;
  return { status, overall, checks };
}

interface Readiness {
  readonly status: "ok" | "degraded" | "unavailable";
  readonly checks: Readonly<Record<string, { status: string; detail: string }>>;
}

/** Resolves when so many workers limit by themselves. The load must reach all of them. */
export const untilFallback = (exchange: Exchange, workers = 3) =>
  until("the fallback in every worker", () => workersOut(exchange) >= workers);

/** Resolves when every worker that had fallen back has its store again. */
export const untilStoreAgain = (exchange: Exchange) =>
  until("the end of every fallback", () => workersOut(exchange) === 0);

const workersOut = ({ printed }: Exchange) =>
  printed('"limiter without its store"') - printed('"limiter has its store again"');

/** Resolves when GET /stat has all that was answered so far. */
export const untilCounted = (exchange: Exchange, mostMs?: number) =>
  until("GET /stat", async () => (await statOnce(exchange)).status === 200, mostMs);

/** The slowest answer so far, milliseconds. */
const slowestMs = (answered: readonly TimedEntry[]) =>
  Math.round(Math.max(0, ...answered.map(({ sentMs, answeredMs }) => answeredMs - sentMs)));

/**
 * The end of a scenario in which no process of ours was killed: no bid was left without an answer
 * or got a 5xx, every answered auction is counted once, and no process stays.
 */
export async function expectExactEnd(
  scenario: string,
  exchange: Exchange,
  load: SteadyLoad,
  figures: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await load.stop();
  await untilCounted(exchange);
  const statuses = new Set(load.answered.map(({ status }) => status));
  expect([...statuses].filter((status) => ![200, 400, 429].includes(status))).toEqual([]);
  expect(load.unknown).toEqual([]);
  const counting = expectCountedOnce(await readStat(exchange.url), load);
  printFigures(scenario, { ...figures, "slowest ms": slowestMs(load.answered), ...counting });
  expect(await exchange.stop()).toEqual({ code: 0, signal: null });
  await exchange.leavesNobody();
}
