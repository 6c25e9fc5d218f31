import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { SQL } from "bun";
import fc from "fast-check";
import { readVersion, SchemaError, withDatabase } from "../../src/catalog/database.ts";
import { readDatabase } from "../../src/catalog/database-reader.ts";
import { initDatabase, writeDatabase } from "../../src/catalog/database-writer.ts";
import { type CatalogDocument, CatalogError } from "../../src/catalog/document.ts";
import { type DatabaseLocation, parseLocation } from "../../src/catalog/location.ts";
import { TABLES } from "../../src/catalog/rows.ts";
import { anyCatalog } from "../support/catalogs.ts";
import type { DatabaseServer } from "../support/database-server.ts";
import { DATABASES } from "../support/databases.ts";

setDefaultTimeout(120_000);

const EVERYTHING: CatalogDocument = {
  bidders: {
    b: { countries: ["US", "GB"], headers: { "X-Key": "k" }, gzip: false },
    c: { country: "DE", endpoint: "https://c.example/", no_bid_probability: 0.1 },
  },
  supplies: {
    s: {
      bidders: ["c", "b"],
      floor: 0.07,
      imp: {
        banner: { format: [{ w: 300, h: 250 }] },
        video: { mimes: ["video/mp4"], protocols: [3, 2] },
        native: { request: "{}" },
      },
      app: { bundle: "a" },
    },
    t: [],
  },
};
const EMPTY: CatalogDocument = { supplies: {}, bidders: {} };

for (const { name, start, missing } of DATABASES) {
  const isPostgres = name === "PostgreSQL";

  if (missing !== undefined) {
    test.skip(`${name}: ${missing}`, () => {});
    continue;
  }

  describe(name, () => {
    let server: DatabaseServer;
    let location: DatabaseLocation;
    beforeAll(async () => {
      server = await start();
      location = await freshLocation();
      await initDatabase(location);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    const freshLocation = async () =>
      parseLocation(await server.createDatabase()) as DatabaseLocation;
    const run = <T>(job: (sql: SQL) => Promise<T>) => withDatabase(location, job);
    const versionNow = () => run(readVersion);
    const documentNow = async () => (await readDatabase(location)).document;

    /** The problems of a catalog that is refused. */
    async function problemsNow(): Promise<readonly string[]> {
      const error = await readDatabase(location).catch((fault) => fault);
      expect(error).toBeInstanceOf(CatalogError);
      return (error as CatalogError).problems;
    }

    test("holds everything that the JSON form can say", async () => {
      await fc.assert(
        fc.asyncProperty(anyCatalog, async (document) => {
          await writeDatabase(location, document);
          expect(await documentNow()).toEqual(document);
        }),
        { numRuns: 60 },
      );
    });

    test("begins with the sample, which is the one that the service ships with", async () => {
      const fresh = await freshLocation();
      expect(await initDatabase(fresh)).toBe(true);
      const { document } = await readDatabase(fresh);
      expect(document).toEqual(await Bun.file("data/catalog.json").json());
    });

    test("keeps what is there when it is set up again", async () => {
      await writeDatabase(location, EVERYTHING);
      const version = await versionNow();
      expect(await initDatabase(location)).toBe(false);
      expect(await documentNow()).toEqual(EVERYTHING);
      expect(await versionNow()).toBe(version);
      await writeDatabase(location, EMPTY);
      expect(await initDatabase(location)).toBe(false);
      expect(await documentNow()).toEqual(EMPTY);
    });

    test("takes a plain insert of key and country, and lists bidders in the order of insertion", async () => {
      await writeDatabase(location, EMPTY);
      await run(async (sql) => {
        await sql.unsafe("INSERT INTO bidders (id, country) VALUES ('z', 'US'), ('a', 'GB')");
        await sql.unsafe("INSERT INTO supplies (id) VALUES ('s'), ('t')");
        await sql.unsafe("INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s', 'z')");
        await sql.unsafe("INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s', 'a')");
        await sql.unsafe(
          "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('t', 'z'), ('t', 'a')",
        );
      });
      expect(await documentNow()).toEqual({
        bidders: { a: { country: "GB" }, z: { country: "US" } },
        supplies: { s: ["z", "a"], t: ["z", "a"] },
      });
      await run((sql) =>
        sql.unsafe(
          "UPDATE supply_bidders SET position = 9 WHERE supply_id = 's' AND bidder_id = 'z'",
        ),
      );
      expect((await documentNow()).supplies.s).toEqual(["a", "z"]);
    });

    const testRights = isPostgres ? test : () => {};
    testRights("takes a change of who has rights on the tables alone", async () => {
      await writeDatabase(location, EVERYTHING);
      const before = await versionNow();
      await run(async (sql) => {
        await sql.unsafe("CREATE ROLE editor");
        await sql.unsafe("GRANT SELECT, INSERT ON bidders, supplies, supply_bidders TO editor");
        await sql.unsafe("SET ROLE editor");
        await sql.unsafe("INSERT INTO bidders (id, country) VALUES ('new', 'US')");
        await sql.unsafe("INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s', 'new')");
      });
      expect((await documentNow()).supplies.s).toMatchObject({ bidders: ["c", "b", "new"] });
      expect(await versionNow()).toBe(before + 2);
    });

    const CHANGES: readonly [change: string, statements: string[]][] = [
      ["an insert", ["INSERT INTO bidders (id, country) VALUES ('new', 'US')"]],
      ["an update", ["UPDATE supplies SET floor = 1 WHERE id = 's'"]],
      ...TABLES.map((table): [string, string[]] => [
        `a delete from ${table}`,
        [`DELETE FROM ${table}`],
      ]),
      ...TABLES.filter(() => isPostgres).map((table): [string, string[]] => [
        `a truncate of ${table}`,
        [`TRUNCATE ${table} CASCADE`],
      ]),
    ];
    test.each(CHANGES)("raises the version in the transaction of %s", async (_, statements) => {
      await writeDatabase(location, EVERYTHING);
      const before = await versionNow();
      const undo = new Error("undo");
      const undone = run((sql) =>
        sql.begin(async (tx) => {
          for (const statement of statements) await tx.unsafe(statement);
          expect(await readVersion(tx)).toBeGreaterThan(before);
          throw undo;
        }),
      );
      expect(await undone.catch((fault) => fault.message)).toContain("undo");
      expect(await versionNow()).toBe(before);
      for (const statement of statements) await run((sql) => sql.unsafe(statement));
      expect(await versionNow()).toBeGreaterThan(before);
    });

    test("takes a bidder and a supply away with all that belongs to them", async () => {
      await writeDatabase(location, EVERYTHING);
      await run((sql) => sql.unsafe("DELETE FROM bidders WHERE id = 'b'"));
      expect((await documentNow()).supplies.s).toMatchObject({ bidders: ["c"] });
      await run((sql) => sql.unsafe("DELETE FROM supplies WHERE id = 's'"));
      expect(await documentNow()).toEqual({
        bidders: { c: EVERYTHING.bidders.c! },
        supplies: { t: [] },
      });
    });

    test.each([
      "INSERT INTO bidders (id, country) VALUES ('', 'US')",
      "INSERT INTO bidders (id, country) VALUES ('a b', 'US')",
      `INSERT INTO bidders (id, country) VALUES ('${"x".repeat(65)}', 'US')`,
      "INSERT INTO bidders (id, country) VALUES ('x', 'us')",
      "INSERT INTO bidders (id, country) VALUES ('x', 'USA')",
      "INSERT INTO bidders (id, country, endpoint) VALUES ('x', 'US', 'ftp://x')",
      "INSERT INTO bidders (id, country, max_qps) VALUES ('x', 'US', 0)",
      "INSERT INTO bidders (id, country, no_bid_probability) VALUES ('x', 'US', 1.5)",
      "INSERT INTO bidders (id, country, latency_ms) VALUES ('x', 'US', '20')",
      "INSERT INTO bidder_countries (bidder_id, country) VALUES ('nobody', 'US')",
      "INSERT INTO bidder_countries (bidder_id, country) VALUES ('b', 'US')",
      "INSERT INTO bidder_headers (bidder_id, name, value) VALUES ('b', 'a b', '')",
      "INSERT INTO supplies (id) VALUES ('s')",
      "INSERT INTO supplies (id, floor) VALUES ('x', -1)",
      "INSERT INTO supplies (id, auction) VALUES ('x', 'third_price')",
      "INSERT INTO supplies (id, domain, app_bundle) VALUES ('x', 'd', 'a')",
      "INSERT INTO supplies (id, app_name) VALUES ('x', 'a')",
      "INSERT INTO supplies (id, native_ver) VALUES ('x', '1')",
      "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('t', 'nobody')",
      "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('nowhere', 'b')",
      "INSERT INTO supply_bidders (supply_id, bidder_id) VALUES ('s', 'b')",
      "INSERT INTO supply_banner_formats (supply_id, w, h) VALUES ('t', 0, 1)",
    ])("refuses %s", async (statement) => {
      await writeDatabase(location, EVERYTHING);
      const refused = await run((sql) => sql.unsafe(statement)).catch((fault) => fault);
      expect(refused).toBeInstanceOf(Error);
      expect(await documentNow()).toEqual(EVERYTHING);
    });

    test("names the rows of a catalog that no constraint could refuse", async () => {
      await writeDatabase(location, EVERYTHING);
      await run(async (sql) => {
        await sql.unsafe("INSERT INTO bidders (id) VALUES ('nowhere'), ('a:b/c~d:')");
        await sql.unsafe("INSERT INTO bidders (id, country) VALUES ('p:q', 'US')");
        await sql.unsafe("UPDATE bidders SET latency_ms = '9-1' WHERE id = 'p:q'");
        await sql.unsafe("UPDATE bidders SET country = 'FR' WHERE id = 'b'");
        await sql.unsafe("INSERT INTO supplies (id, video_w) VALUES ('v', 1)");
        await sql.unsafe("UPDATE supplies SET domain = '\t' WHERE id = 't'");
      });
      const places = (await problemsNow()).map((problem) => /^.*?: .*?(?=: )/.exec(problem)![0]);
      expect(new Set(places)).toEqual(
        new Set([
          "bidders.id=b: #/bidders/b",
          "bidders.id=nowhere: #/bidders/nowhere",
          "bidders.id=a:b/c~d:: #/bidders/a:b~1c~0d:",
          "bidders.id=p:q: #/bidders/p:q/latency_ms",
          "supplies.id=t: #/supplies/t/domain",
          "supply_video_mimes.supply_id=v: #/supplies/v/imp/video/mimes",
        ]),
      );
    });

    test("says which table or column is missing, and what to do", async () => {
      const fresh = await freshLocation();
      const untouched = await withDatabase(fresh, readVersion, { isCreated: true }).catch((e) => e);
      expect(untouched).toBeInstanceOf(SchemaError);
      expect(untouched.message).toContain("catalog_version");
      expect(untouched.message).toContain("exchange catalog init");
      await initDatabase(fresh);
      await withDatabase(fresh, (sql) => sql.unsafe("ALTER TABLE supplies DROP COLUMN video_h"));
      const halfMigrated = await readDatabase(fresh).catch((fault) => fault);
      expect(halfMigrated).toBeInstanceOf(SchemaError);
      expect(halfMigrated.message).toContain("video_h");
      await withDatabase(fresh, (sql) => sql.unsafe("DROP TABLE supply_video_mimes"));
      await initDatabase(fresh).catch(() => {});
      const [row] = await withDatabase(fresh, (sql) =>
        sql.unsafe("SELECT count(*) AS mimes FROM supply_video_mimes"),
      );
      expect(Number(row.mimes)).toBe(0);
    });
  });
}
