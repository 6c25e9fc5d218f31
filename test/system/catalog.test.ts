import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Exchange, startExchange } from "../support/exchange.ts";
import { createFolder } from "../support/folder.ts";
import {
  clientAddress,
  formatBid,
  holdAuctions,
  type LedgerEntry,
  readStat,
  totalsOf,
  totalsOfStat,
} from "../support/ledger.ts";
import { askOnce } from "../support/raw-http.ts";
import { until } from "../support/until.ts";
import { askEveryWorker } from "../support/workers.ts";

setDefaultTimeout(60_000);

const SETTINGS = { RATE_LIMIT_MAX_REQUESTS: "0", NO_BID_PROBABILITY: "0" };
const SWAPS = 50;
const REFUSED = '"catalog refused, the old one stays"';

type Supplies = Record<string, string[]>;
const catalogOf = (supplies: Supplies) =>
  JSON.stringify({ supplies, bidders: { b1: { country: "US" }, b2: { country: "US" } } });

/** Replaces a file as one step, as editors and deployments do. */
function swap(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

const bidOn = (supplyId: string) => formatBid({ supplyId, country: "US" });

/** Whether every worker holds auctions on the supply; false when none of them does. */
async function isKnownEverywhere({ port }: Exchange, supplyId: string): Promise<boolean | "mixed"> {
  const answers = await askEveryWorker(port, bidOn(supplyId));
  const statuses = new Set([...answers.values()].map(({ status }) => status));
  return statuses.size > 1 ? "mixed" : statuses.has(200);
}

describe("a changed catalog", () => {
  test("that is renamed into place is in force in every worker", async () => {
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeFileSync(path, catalogOf({ s1: ["b1"] }));
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    expect(await isKnownEverywhere(exchange, "s2")).toBe(false);
    swap(path, catalogOf({ s1: ["b1"], s2: ["b2"] }));
    const isReloaded = async () => (await isKnownEverywhere(exchange, "s2")) === true;
    await until("every worker knows the supply", isReloaded);
    expect(exchange.printed('"catalog reloaded"')).toBe(1);

    writeFileSync(path, catalogOf({ s1: ["b1"] })); // In place, as a plain editor does.
    const isGone = async () => (await isKnownEverywhere(exchange, "s2")) === false;
    await until("no worker knows the supply", isGone);
  });

  test("that no watch can see is in force after SIGHUP, also in later workers", async () => {
    using folder = createFolder();
    // The folder that is watched holds a link only; what changes is elsewhere.
    const [path, real] = [join(folder.dir, "link.json"), join(folder.dir, "away", "real.json")];
    mkdirSync(join(folder.dir, "away"));
    writeFileSync(real, catalogOf({ s1: ["b1"] }));
    symlinkSync(real, path);
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    swap(real, catalogOf({ s1: ["b1"], s2: ["b2"] }));
    expect(await isKnownEverywhere(exchange, "s2")).toBe(false);
    exchange.kill("SIGHUP");
    const isReloaded = async () => (await isKnownEverywhere(exchange, "s2")) === true;
    await until("every worker knows the supply", isReloaded);

    process.kill(exchange.workerPids()[0]!, "SIGKILL");
    await until("the worker is replaced", () => exchange.printed('"worker replaced"') === 1);
    expect(await isKnownEverywhere(exchange, "s2")).toBe(true);
  });

  test("reaches workers that are just starting", async () => {
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeFileSync(path, catalogOf({ s0: ["b1"] }));
    await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
    for (const round of [1, 2, 3]) {
      const before = new Set(exchange.workerPids());
      process.kill(exchange.workerPids()[0]!, "SIGKILL");
      const isSpawned = () => exchange.workerPids().some((pid) => !before.has(pid));
      await until("another worker is spawned", isSpawned);
      swap(path, catalogOf({ [`s${round}`]: ["b1"] }));
      await until("it is replaced", () => exchange.printed('"worker replaced"') === round);
      const isReloaded = async () => (await isKnownEverywhere(exchange, `s${round}`)) === true;
      await until("every worker knows the supply", isReloaded);
    }
  });

  test("drops what GET /stat had cached", async () => {
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeFileSync(path, catalogOf({ s1: ["b1"] }));
    const env = { ...SETTINGS, CATALOG: path, STAT_CACHE_MS: "600000" };
    await using exchange = await startExchange({ env });
    expect(Object.keys(await readStat(exchange.url))).toEqual(["s1"]);
    swap(path, catalogOf({ s1: ["b1"], s2: ["b2"] }));
    await until("the new supply is in /stat", async () => "s2" in (await readStat(exchange.url)));
  });

  test("that no longer has a supply keeps its counters in GET /stat", async () => {
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeFileSync(path, catalogOf({ s1: ["b1"], s2: ["b2"], s3: ["b1"] }));
    const dataDir = join(folder.dir, "data");
    const env = { ...SETTINGS, CATALOG: path };
    const entries: LedgerEntry[] = [];
    {
      await using exchange = await startExchange({ env, dataDir });
      const bidOf = (n: number) => ({ supplyId: n % 2 === 0 ? "s1" : "s2", country: "US" });
      const load = { port: exchange.port, count: 100, connections: 8, bidOf };
      entries.push(...(await holdAuctions(load)));
      swap(path, catalogOf({ s1: ["b2"] }));
      const isGone = async () => (await isKnownEverywhere(exchange, "s3")) === false;
      await until("no worker knows the supply", isGone);
      await exchange.stop();
    }
    await using exchange = await startExchange({ env, dataDir });
    const stat = await readStat(exchange.url);
    expect(totalsOfStat(stat)).toMatchObject(totalsOf(entries));
    expect(Object.keys(stat.s1!.bidders)).toEqual(["b2", "b1"]);
    const answer = await askOnce(exchange.port, bidOn("s2"));
    expect(JSON.parse(answer.body).code).toBe("unknown_supply");
  });
});

test("a broken catalog swapped in 50 times under load fails no bid", async () => {
  using folder = createFolder();
  const path = join(folder.dir, "catalog.json");
  const good = catalogOf({ s1: ["b1", "b2"], s2: ["b2"] });
  writeFileSync(path, good);
  const broken = [
    () => swap(path, good.slice(0, good.length / 2)),
    () => swap(path, ""),
    () => rmSync(path),
    () => swap(path, catalogOf({ s1: ["ghost"] })),
    () => swap(path, `{"supplies": {}}`),
  ];
  await using exchange = await startExchange({ env: { ...SETTINGS, CATALOG: path } });
  let isOver = false;
  const load = holdAuctions({
    port: exchange.port,
    count: Number.POSITIVE_INFINITY,
    connections: 4,
    bidOf: (n) => ({
      supplyId: n % 2 === 0 ? "s1" : "s2",
      country: "US",
      client: clientAddress(n),
    }),
    onAnswer: () => isOver,
  });
  for (let n = 0; n < SWAPS; n++) {
    const refused = exchange.printed(REFUSED);
    broken[n % broken.length]!();
    await until("the catalog is refused", () => exchange.printed(REFUSED) > refused);
  }
  swap(path, catalogOf({ s1: ["b1", "b2"], s2: ["b2"], s3: ["b1"] }));
  const isReloaded = async () => (await isKnownEverywhere(exchange, "s3")) === true;
  await until("the good one is in force", isReloaded);
  isOver = true;

  const entries = await load;
  expect(new Set(entries.map(({ status }) => status))).toEqual(new Set([200]));
  expect(exchange.printed('"worker ended"')).toBe(0);
  expect(totalsOfStat(await readStat(exchange.url))).toMatchObject(totalsOf(entries));
});
