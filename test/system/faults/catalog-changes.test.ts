import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { withDatabase } from "../../../src/catalog/database.ts";
import { initDatabase, writeDatabase } from "../../../src/catalog/database-writer.ts";
import type { CatalogDocument } from "../../../src/catalog/document.ts";
import { type DatabaseLocation, parseLocation } from "../../../src/catalog/location.ts";
import { startChaosProxy } from "../../support/chaos-proxy.ts";
import { expectCountedOnce } from "../../support/counting.ts";
import type { DatabaseServer } from "../../support/database-server.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { createFolder } from "../../support/folder.ts";
import { formatBid, readStat } from "../../support/ledger.ts";
import { readReadiness } from "../../support/outage.ts";
import { monitored, pausesSince } from "../../support/pauses.ts";
import { startPostgres } from "../../support/postgres.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";
import { askEveryWorker } from "../../support/workers.ts";

setDefaultTimeout(600_000);

const SUPPLIES = shortOrLong(2_000, 100_000);
const BIDDERS = 50;
const CHANGES = shortOrLong(100, 1_000);
const CHANGE_EVERY_MS = shortOrLong(10, 60);
const AWAY_MS = shortOrLong(1_000, 15_000);
const SETTINGS = {
  RATE_LIMIT_MAX_REQUESTS: "0",
  NO_BID_PROBABILITY: "0",
  TRUSTED_PROXIES: "127.0.0.1",
};

let server: DatabaseServer;
let CATALOG: string;
let location: DatabaseLocation;
beforeAll(async () => {
  server = await startPostgres();
  CATALOG = await server.createDatabase();
  location = parseLocation(CATALOG) as DatabaseLocation;
  await initDatabase(location);
  await writeDatabase(location, largeCatalog());
});
afterAll(() => server[Symbol.asyncDispose]());

/** Five of the bidders for each supply, other ones for each of fifty. */
function largeCatalog(): CatalogDocument {
  const ids = Array.from({ length: BIDDERS }, (_, i) => `bidder${i}`);
  const bidders = Object.fromEntries(ids.map((id) => [id, { country: "US" }]));
  const membersOf = (n: number) => [0, 1, 2, 3, 4].map((k) => ids[(n + 7 * k) % BIDDERS]!);
  const supplies = Array.from({ length: SUPPLIES }, (_, n) => [`supply${n}`, membersOf(n)]);
  return { bidders, supplies: Object.fromEntries(supplies) };
}

const bidOf = (n: number) => ({ supplyId: `supply${(n * 37) % SUPPLIES}`, country: "US" });

/** Whether every worker serves the version that the database has. */
async function isUpToDate({ port }: Exchange): Promise<boolean> {
  const [row] = await withDatabase(location, (sql) => sql`SELECT version FROM catalog_version`);
  const answers = await askEveryWorker(port, { method: "GET", path: "/readyz" });
  const details = [...answers.values()].map(({ body }) => JSON.parse(body).checks.catalog.detail);
  return details.every((detail) => detail.startsWith(`version ${row.version},`));
}

test("changes under load fail no bid and lose no count, and the last one is in force", async () => {
  using folder = createFolder();
  const env = { ...SETTINGS, ...monitored(folder.dir), CATALOG };
  await using exchange = await startExchange({ env });
  await until("every worker has it", () => isUpToDate(exchange));
  const load = startSteadyLoad({ port: exchange.port, bidOf });
  await untilAnswered(load, 500);
  const beforeMs = Date.now();
  await untilAnswered(load, shortOrLong(200, 4_000));
  const changingMs = Date.now();
  const without = pausesSince(folder.dir, beforeMs);

  await withDatabase(location, async (sql) => {
    for (let n = 0; n < CHANGES; n++) {
      const id = `supply${(n * 101) % SUPPLIES}`;
      if (n % 2 === 0) await sql`UPDATE supplies SET floor = ${n % 3} / 100.0 WHERE id = ${id}`;
      else await sql`UPDATE supply_bidders SET position = position + 1 WHERE supply_id = ${id}`;
      await Bun.sleep(CHANGE_EVERY_MS);
    }
  });
  const lastMs = performance.now();
  await until("every worker has the last", () => isUpToDate(exchange), 60_000);
  const inForceMs = performance.now() - lastMs;
  const pauses = pausesSince(folder.dir, changingMs);
  await load.stop();

  expect(new Set(load.answered.map(({ status }) => status))).toEqual(new Set([200]));
  expect(load.unknown).toEqual([]);
  expect(exchange.printed('"worker ended"')).toBe(0);
  await until("all is counted", async () => {
    // A report on 100,000 supplies takes about as long as GET /stat may take.
    const stat = await readStat(exchange.url).catch(() => undefined);
    if (stat) expectCountedOnce(stat, load);
    return stat !== undefined;
  });
  printFigures(`${CHANGES} changes of ${SUPPLIES} supplies and ${BIDDERS} bidders`, {
    bids: load.answered.length,
    reloads: exchange.printed('"catalog reloaded"'),
    "in every worker after ms": Math.round(inForceMs),
    "slowest bid ms": Math.max(
      ...load.answered.map(({ sentMs, answeredMs }) => Math.round(answeredMs - sentMs)),
    ),
    "longest pauses of a worker ms": pauses.whole.slice(0, 5).join(" "),
    "without the wait for a processor": pauses.own.slice(0, 5).join(" "),
    "longest without changes": without.whole[0] ?? "below 10",
  });
});

test("a server that is killed is served without, and with it again when it is back", async () => {
  await using exchange = await startExchange({
    env: { ...SETTINGS, CATALOG, CATALOG_REFRESH_SECONDS: "0.2" },
  });
  const load = startSteadyLoad({ port: exchange.port, bidOf });
  await untilAnswered(load, 200);
  await server.kill();
  const catalogNow = async () => (await readReadiness(exchange)).checks.catalog!;
  const isDegraded = async () => (await catalogNow()).status === "degraded";
  await until("it is degraded", isDegraded);
  await Bun.sleep(AWAY_MS);
  expect((await catalogNow()).detail).toMatch(/, [1-9]\d* s old: it cannot be read, see the log$/);
  await untilAnswered(load, 200);
  await server.start();
  await until("it is up to date", async () => (await catalogNow()).status === "ok", 60_000);
  await withDatabase(location, (sql) =>
    sql.unsafe("INSERT INTO supplies (id) VALUES ('after-the-outage')"),
  );
  const isKnown = async () => {
    const request = formatBid({ supplyId: "after-the-outage", country: "US" });
    const answers = await askEveryWorker(exchange.port, request);
    return [...answers.values()].every(({ body }) => !body.includes("unknown_supply"));
  };
  await until("a change is in force", isKnown, 60_000);
  await load.stop();
  expect(new Set(load.answered.map(({ status }) => status))).toEqual(new Set([200]));
  expect(load.unknown).toEqual([]);
  printFigures("database away", {
    bids: load.answered.length,
    "told as away": exchange.printed("catalog away"),
    "told as back": exchange.printed("catalog is up to date again"),
  });
});

test("a server that stands still is served without, and with it again when it goes on", async () => {
  const direct = new URL(CATALOG);
  await using proxy = await startChaosProxy(Number(direct.port));
  const proxied = new URL(CATALOG);
  proxied.port = String(proxy.port);
  await using exchange = await startExchange({
    env: { ...SETTINGS, CATALOG: proxied.href, CATALOG_REFRESH_SECONDS: "0.2" },
  });
  const load = startSteadyLoad({ port: exchange.port, bidOf });
  await untilAnswered(load, 100);
  const statusNow = async () => (await readReadiness(exchange)).checks.catalog!.status;
  proxy.setFault({ kind: "blackhole" });
  await until("it is degraded", async () => (await statusNow()) === "degraded", 30_000);
  proxy.setFault({ kind: "none" });
  await until("it is up to date", async () => (await statusNow()) === "ok", 60_000);
  await load.stop();
  expect(new Set(load.answered.map(({ status }) => status))).toEqual(new Set([200]));
  expect(load.unknown).toEqual([]);
});
