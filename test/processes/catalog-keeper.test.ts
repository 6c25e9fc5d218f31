import { describe, expect, test } from "bun:test";
import type { LoadOrder, LoadResult } from "../../src/catalog/load.ts";
import { formatSnapshot, snapshotPath, writeSnapshot } from "../../src/catalog/snapshot-file.ts";
import { loadConfig } from "../../src/config.ts";
import { createLogger } from "../../src/log.ts";
import { openCatalogKeeper } from "../../src/processes/catalog-keeper.ts";
import { createFolder } from "../support/folder.ts";

const DATABASE = "postgres://me:hunter2@127.0.0.1:1/catalog";
const SHOWN = "postgres://me:***@127.0.0.1:1/catalog";
const DOCUMENT = { supplies: { s: ["b"] }, bidders: { b: { country: "GB" } } };

const snapshotOf = (version: number, source = SHOWN, takenAtMs = Date.now()) =>
  formatSnapshot(DOCUMENT, { source, version, takenAtMs });
const taken = (version: number): LoadResult => ({
  kind: "taken",
  header: snapshotOf(version).header,
});
const AWAY: LoadResult = { kind: "away", cause: "nobody there" };
const REFUSED: LoadResult = { kind: "refused", problems: ["bidders.id=b: wrong"] };

/** A keeper whose loads answer as the test says, one after the other. */
async function openKeeper(results: (LoadResult | Error)[], CATALOG = DATABASE, dataDir = "none") {
  const orders: LoadOrder[] = [];
  let changes = 0;
  const keeper = await openCatalogKeeper({
    config: loadConfig({ CATALOG, DATA_DIR: dataDir }),
    onChange: () => changes++,
    logger: createLogger({ level: "silent", name: "test", isTerminal: false }),
    async load(order) {
      orders.push(order);
      const result = results.shift()!;
      if (result instanceof Error) throw result;
      return result;
    },
  });
  return { ...keeper, orders, changes: () => changes };
}

describe("a keeper", () => {
  test("hands a new snapshot over, and asks with what is in force", async () => {
    const { header, reload, orders, changes, fault } = await openKeeper([taken(1), taken(2)]);
    expect(changes()).toBe(0);
    await reload();
    expect([header().version, changes(), fault()]).toEqual([2, 1, undefined]);
    expect(orders.map(({ inForce }) => inForce?.version)).toEqual([undefined, 1]);
  });

  test("hands nothing over when nothing has changed", async () => {
    const { reload, changes, fault } = await openKeeper([taken(1), { kind: "unchanged" }]);
    await reload();
    expect([changes(), fault()]).toEqual([0, undefined]);
  });

  test.each([
    ["is refused", REFUSED, /^0 s old: what it says now is refused/],
    ["is away", AWAY, /^0 s old: it cannot be read/],
    ["cannot be written down", new Error("no room"), /^0 s old: it cannot be read/],
  ])("keeps what it has when the catalog %s, until it is good again", async (_, result, words) => {
    const { header, reload, changes, fault } = await openKeeper([taken(1), result, taken(3)]);
    await reload();
    expect([header().version, changes()]).toEqual([1, 0]);
    expect(fault()).toMatch(words);
    await reload();
    expect([header().version, changes(), fault()]).toEqual([3, 1, undefined]);
  });
});

test("a keeper says how old it is when a database was not looked at for long", async () => {
  const hourAgo = Date.now() - 3_600_000;
  const { header } = snapshotOf(1, SHOWN, hourAgo);
  const { fault } = await openKeeper([{ kind: "taken", header }]);
  expect(fault()).toMatch(/^360\d s old: it is being read$/);
});

describe("a start", () => {
  test.each([
    ["away", AWAY, "it cannot be read"],
    ["refused", REFUSED, "is refused"],
  ])(
    "takes the last snapshot of a database that is %s, and says how old it is",
    async (_, result, words) => {
      using folder = createFolder();
      const hourAgo = Date.now() - 3_600_000;
      await writeSnapshot(snapshotPath(folder.dir), snapshotOf(7, SHOWN, hourAgo));
      const { header, fault } = await openKeeper([result], DATABASE, folder.dir);
      expect(header().version).toBe(7);
      expect(fault()).toMatch(/^360\d s old: /);
      expect(fault()).toContain(words);
    },
  );

  test.each([
    ["of another database", "postgres://me:***@127.0.0.1:2/catalog"],
    ["of a file", "data/catalog.json"],
  ])("does not take the snapshot %s", async (_, source) => {
    using folder = createFolder();
    await writeSnapshot(snapshotPath(folder.dir), snapshotOf(7, source));
    const opened = openKeeper([AWAY], DATABASE, folder.dir).catch((fault) => fault);
    const error: Error = await opened;
    expect(error.message).toContain("nobody there");
    expect(error.message).toContain(snapshotPath(folder.dir));
    expect(error.name).toBe("Error");
  });

  test("does not take the snapshot of a file that is refused", async () => {
    using folder = createFolder();
    await writeSnapshot(snapshotPath(folder.dir), snapshotOf(7, "bad.json"));
    const error = await openKeeper([REFUSED], "bad.json", folder.dir).catch((fault) => fault);
    expect(error).toMatchObject({ name: "CatalogError", problems: ["bidders.id=b: wrong"] });
  });
});
