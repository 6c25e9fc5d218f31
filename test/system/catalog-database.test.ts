import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SQL } from "bun";
import { readVersion, withDatabase } from "../../src/catalog/database.ts";
import { initDatabase, writeDatabase } from "../../src/catalog/database-writer.ts";
import type { CatalogDocument } from "../../src/catalog/document.ts";
import { type DatabaseLocation, parseLocation } from "../../src/catalog/location.ts";
import type { DatabaseServer } from "../support/database-server.ts";
import { DATABASES } from "../support/databases.ts";
import {
  type Environment,
  type Exchange,
  runExchange,
  startExchange,
} from "../support/exchange.ts";
import { printFigures } from "../support/faults.ts";
import { createFolder } from "../support/folder.ts";
import {
  formatBid,
  holdAuctions,
  type LedgerEntry,
  readStat,
  totalsOf,
  totalsOfStat,
} from "../support/ledger.ts";
import { readReadiness } from "../support/outage.ts";
import { PASSWORD } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { askEveryWorker } from "../support/workers.ts";

setDefaultTimeout(60_000);

const SETTINGS = { RATE_LIMIT_MAX_REQUESTS: "0", NO_BID_PROBABILITY: "0" };
const QUICK = { ...SETTINGS, CATALOG_REFRESH_SECONDS: "0.1" };
const NEVER = { ...SETTINGS, CATALOG_REFRESH_SECONDS: "3600" };
const TWO: CatalogDocument = {
  bidders: { b1: { country: "US" }, b2: { country: "US" } },
  supplies: { s1: ["b1"], s2: ["b2"] },
};

/** Whether every worker knows the supply; undefined while they disagree. */
async function isKnown({ port }: Exchange, supplyId: string): Promise<boolean | undefined> {
  const answers = await askEveryWorker(port, formatBid({ supplyId, country: "US" }));
  const known = new Set(
    [...answers.values()].map(({ body }) => JSON.parse(body).code !== "unknown_supply"),
  );
  return known.size === 1 ? [...known][0] : undefined;
}

async function catalogCheck(exchange: Exchange): Promise<{ status: string; detail: string }> {
  const { status, checks } = await readReadiness(exchange);
  expect(status).toBe(200);
  return checks.catalog!;
}

for (const { name, start, missing } of DATABASES) {
  if (missing !== undefined) {
    test.skip(`${name}: ${missing}`, () => {});
    continue;
  }

  describe(`a catalog in ${name}`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server[Symbol.asyncDispose]());

    /** A database of one test that holds a catalog. */
    async function createCatalog(document = TWO) {
      const CATALOG = await server.createDatabase();
      const location = parseLocation(CATALOG) as DatabaseLocation;
      await initDatabase(location);
      await writeDatabase(location, document);
      const run = (...statements: string[]) =>
        withDatabase(location, (sql: SQL) =>
          sql.begin(async (tx) => {
            for (const statement of statements) await tx.unsafe(statement);
          }),
        );
      const env = (settings: Environment = QUICK) => ({ ...settings, CATALOG });
      return { CATALOG, location, run, env };
    }

    test("is changed in every worker by a plain insert", async () => {
      const { location, run, env } = await createCatalog();
      await using exchange = await startExchange({ env: env() });
      expect(await isKnown(exchange, "s3")).toBe(false);
      const changedMs = performance.now();
      await run(
        "INSERT INTO supplies (id) VALUES ('s3')",
        "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s3', 'b1')",
      );
      await until("every worker knows it", async () => (await isKnown(exchange, "s3")) === true);
      const afterMs = Math.round(performance.now() - changedMs);
      printFigures(`${name}, a look each 0.1 s`, { "in every worker after ms": afterMs });
      const { detail } = await catalogCheck(exchange);
      const stored = await withDatabase(location, readVersion);
      expect(detail).toBe(`version ${stored}, 3 supplies`);
    });

    if (name === "PostgreSQL") {
      test("is changed in every worker when it is told, long before the next look", async () => {
        const { run, env } = await createCatalog();
        await using exchange = await startExchange({ env: env(NEVER) });
        const timesMs: number[] = [];
        for (let n = 3; n < 8; n++) {
          const changedMs = performance.now();
          await run(`INSERT INTO supplies (id) VALUES ('s${n}')`);
          const isThere = async () => (await isKnown(exchange, `s${n}`)) === true;
          await until("every worker knows it", isThere);
          timesMs.push(Math.round(performance.now() - changedMs));
        }
        printFigures("PostgreSQL, LISTEN", { "in every worker after ms": timesMs.join(" ") });
      });
    }

    test("is changed in both of two exchanges", async () => {
      const { run, env } = await createCatalog();
      await using one = await startExchange({ env: env() });
      await using other = await startExchange({ env: env() });
      await run("DELETE FROM supplies WHERE id = 's2'");
      for (const exchange of [one, other]) {
        await until("no worker knows it", async () => (await isKnown(exchange, "s2")) === false);
      }
    });

    test("that is refused leaves the one before in force, names the row, and says so", async () => {
      const { run, env } = await createCatalog();
      await using exchange = await startExchange({ env: env() });
      await run("UPDATE bidders SET country = NULL WHERE id = 'b2'", "DELETE FROM supplies");
      await until("it is refused", () => exchange.printed("the old one stays") > 0);
      expect(exchange.stdout()).toContain("bidders.id=b2: #/bidders/b2: expected either country");
      expect(await isKnown(exchange, "s1")).toBe(true);
      expect(await catalogCheck(exchange)).toMatchObject({
        status: "degraded",
        detail: expect.stringMatching(/, \d+ s old: what it says now is refused, see the log$/),
      });
      await Bun.sleep(400); // Looked at again meanwhile: it is refused once for each change.
      expect(exchange.printed("catalog refused")).toBe(1);
      await run("UPDATE bidders SET country = 'DE' WHERE id = 'b2'");
      await until("it is good", async () => (await catalogCheck(exchange)).status === "ok");
      await until("it is in force", async () => (await isKnown(exchange, "s1")) === false);
    });

    test("keeps the counters of what left, and goes on with what comes back", async () => {
      // Whether a change is in force is asked with supplies that nothing else bids for.
      const { run, env } = await createCatalog({ ...TWO, supplies: { ...TWO.supplies, ask: [] } });
      await using exchange = await startExchange({ env: env() });
      const entries: LedgerEntry[] = [];
      const hold = async (...ids: string[]) => {
        const bidOf = (n: number) => ({ supplyId: ids[n % ids.length]!, country: "US" });
        const load = { port: exchange.port, count: 60, connections: 6, bidOf };
        entries.push(...(await holdAuctions(load)));
      };
      await hold("s1", "s2");
      await run(
        "DELETE FROM supplies WHERE id IN ('s2', 'ask')",
        "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s1', 'b2')",
        "DELETE FROM supply_bidders WHERE supply_id = 's1' AND bidder_id = 'b1'",
      );
      await until("it has left", async () => (await isKnown(exchange, "ask")) === false);
      await hold("s1");
      const stat = await readStat(exchange.url);
      expect(totalsOfStat(stat)).toMatchObject(totalsOf(entries));
      expect(Object.keys(stat.s1!.bidders)).toEqual(["b2", "b1"]);
      await run(
        "INSERT INTO supplies (id) VALUES ('s2'), ('again')",
        "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s2', 'b2'), ('s1', 'b1')",
      );
      await until("it is back", async () => (await isKnown(exchange, "again")) === true);
      await hold("s1", "s2");
      const after = await readStat(exchange.url);
      expect(totalsOfStat(after)).toMatchObject(totalsOf(entries));
      expect(Object.keys(after)).toEqual(["again", "s1", "s2", "ask"]);
    });

    test("that was never set up ends the start, and the check, with one line and 78", async () => {
      const CATALOG = await server.createDatabase();
      using folder = createFolder();
      if (name === "SQLite") await Bun.write(CATALOG.replace("sqlite:", ""), "");
      const env = { ...SETTINGS, CATALOG, DATA_DIR: folder.dir, PORT: "0", HOST: "127.0.0.1" };
      for (const command of ["serve", "check"]) {
        const { code, stderr } = await runExchange([command], { env });
        expect([command, code]).toEqual([command, 78]);
        expect(stderr).toContain("catalog_version");
        expect(stderr).toContain("`exchange catalog init`");
        expect(stderr).not.toContain(PASSWORD);
      }
    });

    test("with half a migration is refused, and the one before stays in force", async () => {
      const { run, env } = await createCatalog();
      await using exchange = await startExchange({ env: env() });
      await run("UPDATE supplies SET floor = 1 WHERE id = 's1'");
      await until("a change is in force", () => exchange.printed('"catalog reloaded"') === 1);
      await run("ALTER TABLE bidders DROP COLUMN seat");
      await run("UPDATE supplies SET floor = 2 WHERE id = 's1'");
      await until("it is refused", () => exchange.printed("the old one stays") === 1);
      expect(exchange.stdout()).toMatch(/"problems":\[.*seat.*exchange catalog init/);
      await run("DROP TABLE catalog_version");
      await until("there is no version", () => exchange.printed("catalog away") === 1);
      expect(await isKnown(exchange, "s1")).toBe(true);
      expect((await catalogCheck(exchange)).status).toBe("degraded");
    });

    test("serves from the last snapshot when the database is away at the start", async () => {
      using folder = createFolder();
      const { CATALOG, env } = await createCatalog();
      const dataDir = folder.dir;
      {
        await using exchange = await startExchange({ env: env(), dataDir });
        await exchange.stop();
      }
      const restore = await takeAway(server, CATALOG);
      await using exchange = await startExchange({ env: env(), dataDir });
      expect(await isKnown(exchange, "s1")).toBe(true);
      expect(exchange.stdout()).toContain("2 supplies, 2 bidders, ");
      expect(exchange.stdout()).toContain("S OLD: IT CANNOT BE READ");
      expect(exchange.stdout()).toContain("catalog: the last snapshot serves");
      expect((await catalogCheck(exchange)).detail).toMatch(/ s old: it cannot be read/);
      await restore();
      await until("it is back", async () => (await catalogCheck(exchange)).status === "ok");

      expect(exchange.stdout() + exchange.stderr()).not.toContain(PASSWORD);
      for (const pid of [exchange.pid, ...exchange.workerPids()]) {
        expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(PASSWORD);
      }
      for (const file of readdirSync(dataDir).filter((entry) => entry !== "journals")) {
        expect(readFileSync(join(dataDir, file), "utf8")).not.toContain(PASSWORD);
      }
    });

    test("does not start without a database and without a snapshot", async () => {
      using folder = createFolder();
      const { CATALOG } = await createCatalog();
      const restore = await takeAway(server, CATALOG);
      const env = { ...SETTINGS, CATALOG, DATA_DIR: folder.dir, PORT: "0", HOST: "127.0.0.1" };
      const { code, stdout, stderr } = await runExchange(["serve"], { env });
      await restore();
      expect(code).toBe(1);
      expect(stderr).toMatch(/^exchange: CATALOG is away, and \S+ is no snapshot of it: .+\n$/);
      expect(stdout + stderr).not.toContain(PASSWORD);
    });
  });
}

/** Makes a database unreachable. @returns what brings it back */
async function takeAway(server: DatabaseServer, url: string): Promise<() => Promise<void>> {
  if (!url.startsWith("sqlite:")) {
    await server.kill();
    return server.start;
  }
  const path = url.replace("sqlite:", "");
  for (const end of ["-wal", "-shm"])
    await Bun.file(path + end)
      .delete()
      .catch(() => {});
  const bytes = await Bun.file(path).bytes();
  await Bun.file(path).delete();
  return async () => void (await Bun.write(path, bytes));
}

describe("the commands", () => {
  test("set a database up, fill it, show it, and say what would change", async () => {
    using folder = createFolder();
    const [file, other] = [join(folder.dir, "a.json"), join(folder.dir, "b.json")];
    const dataDir = join(folder.dir, "data");
    const CATALOG = `sqlite:${join(folder.dir, "catalog.db")}`;
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await runExchange(["catalog", ...args], {
        env: { CATALOG, DATA_DIR: dataDir },
      });
      expect([code, stderr]).toEqual([0, ""]);
      return stdout;
    };
    const sample = await Bun.file("data/catalog.json").json();
    expect(await run("init")).toContain("with the sample: 12 supplies, 20 bidders");
    expect(JSON.parse(await run("export"))).toEqual(sample);
    await run("export", file);
    expect(await Bun.file(file).json()).toEqual(sample);
    {
      await using exchange = await startExchange({ env: { ...NEVER, CATALOG }, dataDir });
      expect(await run("diff")).toBe("nothing would change\n");
      await Bun.write(other, JSON.stringify(TWO));
      expect(await run("diff", other)).toContain("+ supply s1\n");
      await run("import", other);
      expect(JSON.parse(await run("export"))).toEqual(TWO);
      expect(await run("diff")).toContain("- supply supply1\n");
      exchange.kill("SIGHUP");
      await until("it is reloaded", () => exchange.printed('"catalog reloaded"') === 1);
      expect(await run("diff")).toBe("nothing would change\n");
    }
    expect(await run("init")).toBe("the tables are there: 2 supplies, 2 bidders\n");
  });

  test.each([
    [["init"], "CATALOG is the file data/catalog.json; expected a database"],
    [["import", "nowhere.json"], "CATALOG is the file data/catalog.json; expected a database"],
    [["diff"], "no exchange has served from this DATA_DIR yet"],
  ])("say what is wrong with %p", async (args, words) => {
    using folder = createFolder();
    const env = { DATA_DIR: folder.dir };
    const { code, stdout, stderr } = await runExchange(["catalog", ...args], { env });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(words);
  });
});
