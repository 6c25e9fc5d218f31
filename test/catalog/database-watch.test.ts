import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { withDatabase } from "../../src/catalog/database.ts";
import { watchDatabase } from "../../src/catalog/database-watch.ts";
import { initDatabase } from "../../src/catalog/database-writer.ts";
import { type DatabaseLocation, parseLocation } from "../../src/catalog/location.ts";
import type { DatabaseServer } from "../support/database-server.ts";
import { DATABASES } from "../support/databases.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

/** Watches a database: the versions and the faults that it was told of. */
function watched(location: DatabaseLocation, refreshMs: number, random = Math.random) {
  const versions: number[] = [];
  const faults: string[] = [];
  const watch = watchDatabase({
    location,
    refreshMs,
    random,
    onVersion: async (version) => void versions.push(version),
    onFault: ({ message }) => void faults.push(message),
  });
  return { versions, faults, [Symbol.asyncDispose]: watch.stop };
}

const change = (location: DatabaseLocation) =>
  withDatabase(location, (sql) => sql.unsafe("UPDATE supplies SET floor = 1 WHERE id = 'supply1'"));

for (const { name, start, missing } of DATABASES) {
  if (missing !== undefined) {
    test.skip(`${name}: ${missing}`, () => {});
    continue;
  }

  describe(name, () => {
    let server: DatabaseServer;
    let location: DatabaseLocation;
    beforeAll(async () => {
      server = await start();
      location = parseLocation(await server.createDatabase()) as DatabaseLocation;
      await initDatabase(location);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    test("a change is seen at the next look", async () => {
      await using watch = watched(location, 50);
      await until("a first look", () => watch.versions.length > 0);
      const before = watch.versions.at(-1)!;
      await change(location);
      await until("the change", () => watch.versions.at(-1)! > before);
      expect(watch.faults).toEqual([]);
    });

    test("a database that is not set up is a fault, until it is", async () => {
      const fresh = parseLocation(await server.createDatabase()) as DatabaseLocation;
      await using watch = watched(fresh, 50);
      await until("a fault", () => watch.faults.length > 0);
      expect(watch.faults[0]).toStartWith(`${fresh.shown}: `);
      await initDatabase(fresh);
      await until("a version", () => watch.versions.length > 0);
    });

    test("the looks of two who began together do not stay in step", async () => {
      await using early = watched(location, 100, () => 0);
      await using late = watched(location, 100, () => 1);
      await until("many looks", () => early.versions.length >= 16);
      expect(late.versions.length).toBeLessThan(early.versions.length);
    });

    if (name === "SQLite") return;

    test("a server that is killed is a fault, until it is back", async () => {
      await using watch = watched(location, 50);
      await until("a first look", () => watch.versions.length > 0);
      await server.kill();
      await until("a fault", () => watch.faults.length > 0);
      expect(watch.faults.join()).not.toContain(new URL(location.url).password);
      await server.start();
      const seen = watch.versions.length;
      await until("a version", () => watch.versions.length > seen);
    });

    if (name !== "PostgreSQL") return;

    test("a change is told, long before the next look", async () => {
      const never = 3_600_000;
      await using watch = watched(location, never);
      await until("a first look", () => watch.versions.length > 0);
      for (const _ of [1, 2, 3]) {
        const before = watch.versions.at(-1)!;
        await change(location);
        await until("the change", () => watch.versions.at(-1)! > before);
      }
    });

    test("a lost subscription is made again, and catches up", async () => {
      const never = 3_600_000;
      await using watch = watched(location, never);
      await until("a first look", () => watch.versions.length > 0);
      const before = watch.versions.at(-1)!;
      const cut =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
      const rows = await withDatabase(location, (sql) => sql.unsafe(cut));
      expect(rows.length).toBeGreaterThan(0);
      await change(location);
      await until("the change", () => watch.versions.at(-1)! > before);
    });
  });
}
