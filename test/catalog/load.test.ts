import { expect, test } from "bun:test";
import { withDatabase } from "../../src/catalog/database.ts";
import { initDatabase, writeDatabase } from "../../src/catalog/database-writer.ts";
import { loadCatalog } from "../../src/catalog/load.ts";
import { type DatabaseLocation, parseLocation } from "../../src/catalog/location.ts";
import { readSnapshotDocument, type SnapshotHeader } from "../../src/catalog/snapshot-file.ts";
import { createFolder } from "../support/folder.ts";

const GOOD = { supplies: { s: ["b"] }, bidders: { b: { country: "GB" } } };

const egress = { allowPrivate: false };

test("counts a version for each change of a file, and none for the same content", async () => {
  using folder = createFolder();
  const [catalog, path] = [folder.path("catalog.json"), folder.path("catalog.snapshot")];
  let inForce: SnapshotHeader | undefined;
  const load = async (document: object) => {
    await Bun.write(catalog, JSON.stringify(document));
    const result = await loadCatalog({ catalog, egress, path, inForce });
    if (result.kind === "taken") inForce = result.header;
    return result.kind;
  };
  expect(await load(GOOD)).toBe("taken");
  expect(await load(GOOD)).toBe("unchanged");
  expect(await load({ ...GOOD, supplies: {} })).toBe("taken");
  expect(inForce).toMatchObject({ version: 2, supplies: 0, source: catalog });
  expect(await load({ supplies: { s: ["nobody"] }, bidders: {} })).toBe("refused");
  expect(await readSnapshotDocument(path)).toEqual({ ...GOOD, supplies: {} });
});

test("has the version of a database, even where a change has changed nothing", async () => {
  using folder = createFolder();
  const [catalog, path] = [`sqlite:${folder.path("catalog.db")}`, folder.path("snapshot")];
  const location = parseLocation(catalog) as DatabaseLocation;
  expect(await loadCatalog({ catalog, egress, path, inForce: undefined })).toMatchObject({
    kind: "away",
  });
  await initDatabase(location);
  const first = await loadCatalog({ catalog, egress, path, inForce: undefined });
  if (first.kind !== "taken") throw new Error(`it is ${first.kind}`);
  const { header } = first;
  expect(await loadCatalog({ catalog, egress, path, inForce: header })).toEqual({
    kind: "unchanged",
  });
  await withDatabase(location, (sql) => sql.unsafe("UPDATE supplies SET floor = floor"));
  const second = await loadCatalog({ catalog, egress, path, inForce: header });
  if (second.kind !== "taken") throw new Error(`it is ${second.kind}`);
  expect(second.header.version).toBeGreaterThan(header.version);
  expect(second.header.digest).toBe(header.digest);
  await withDatabase(location, (sql) => sql.unsafe("DROP TABLE bidder_headers"));
  expect(await loadCatalog({ catalog, egress, path, inForce: header })).toMatchObject({
    kind: "refused",
    problems: [expect.stringContaining("exchange catalog init")],
  });
});

test("says that the disk refuses, and leaves the last snapshot", async () => {
  using folder = createFolder();
  const catalog = folder.path("catalog.json");
  await Bun.write(catalog, JSON.stringify(GOOD));
  const path = folder.path("away/catalog.snapshot");
  expect(loadCatalog({ catalog, egress, path, inForce: undefined })).rejects.toThrow(
    "cannot write",
  );
});

test("refuses a bidder on this host unless that is allowed, wherever the catalog is", async () => {
  using folder = createFolder();
  const path = folder.path("snapshot");
  const bidders = { b: { country: "US", endpoint: "http://127.0.0.1:9/bid" } };
  const file = folder.path("catalog.json");
  await Bun.write(file, JSON.stringify({ supplies: {}, bidders }));
  const database = `sqlite:${folder.path("catalog.db")}`;
  const location = parseLocation(database) as DatabaseLocation;
  await initDatabase(location);
  await writeDatabase(location, { supplies: {}, bidders });
  for (const catalog of [file, database]) {
    const refused = await loadCatalog({ catalog, egress, path, inForce: undefined });
    expect(refused).toMatchObject({
      kind: "refused",
      problems: [expect.stringContaining("loopback")],
    });
    const allowed = { catalog, egress: { allowPrivate: true }, path, inForce: undefined };
    expect(await loadCatalog(allowed)).toMatchObject({ kind: "taken" });
  }
});
