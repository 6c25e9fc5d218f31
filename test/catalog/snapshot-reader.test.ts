import { describe, expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import { stat } from "node:fs/promises";
import fc from "fast-check";
import { buildCatalog, type Catalog } from "../../src/catalog/catalog.ts";
import type { CatalogDocument } from "../../src/catalog/document.ts";
import {
  formatSnapshot,
  readSnapshotDocument,
  readSnapshotHeader,
  writeSnapshot,
} from "../../src/catalog/snapshot-file.ts";
import { createSnapshotReader } from "../../src/catalog/snapshot-reader.ts";
import { anyCatalog } from "../support/catalogs.ts";
import { createFolder } from "../support/folder.ts";
import { until } from "../support/until.ts";

const GOOD: CatalogDocument = {
  bidders: { a: { country: "US" }, b: { country: "GB" }, c: { country: "DE" } },
  supplies: { s: ["a", "b"], t: ["a", "b"], u: { bidders: ["c"], floor: 1 } },
};

/** A snapshot file of one test; each `write` has the next version. */
function createSnapshot() {
  const folder = createFolder();
  const path = folder.path("catalog.snapshot");
  let version = 0;
  const write = (document: CatalogDocument) =>
    writeSnapshot(
      path,
      formatSnapshot(document, { source: "x", version: ++version, takenAtMs: 5 }),
    );
  return { path, write, [Symbol.dispose]: folder[Symbol.dispose] };
}

/** All that a catalog says. */
const contentOf = ({ version, supplies, bidders }: Catalog) => ({
  version,
  bidders: [...bidders],
  supplies: [...supplies].map(([key, supply]) => {
    const { id, bidders, eligible, floorMicros, auction, placement } = supply;
    return [key, { id, bidders, eligible: [...eligible], floorMicros, auction, placement }];
  }),
});

describe("a snapshot", () => {
  test("holds everything that a catalog says", async () => {
    await fc.assert(
      fc.asyncProperty(anyCatalog, async (document) => {
        using snapshot = createSnapshot();
        await snapshot.write(document);
        const catalog = await createSnapshotReader().read(snapshot.path);
        expect(contentOf(catalog!)).toEqual(contentOf(buildCatalog(document, 1)));
        expect(await readSnapshotDocument(snapshot.path)).toEqual(document);
      }),
    );
  });

  test("holds texts with the line separators of Unicode", async () => {
    using snapshot = createSnapshot();
    const supply = { bidders: ["c"], domain: "a\u2028b\u2029c" };
    const document = { ...GOOD, supplies: { s: supply } };
    await snapshot.write(document);
    expect(await readSnapshotDocument(snapshot.path)).toEqual(document);
  });

  test("is for this user alone, whatever a leftover was", async () => {
    using snapshot = createSnapshot();
    await Bun.write(`${snapshot.path}.new`, "left over");
    await snapshot.write(GOOD);
    expect((await stat(snapshot.path)).mode & 0o777).toBe(0o600);
    expect(await Bun.file(`${snapshot.path}.new`).exists()).toBe(false);
  });

  test("has a header with what the banner shows", async () => {
    using snapshot = createSnapshot();
    await snapshot.write(GOOD);
    expect(await readSnapshotHeader(snapshot.path)).toMatchObject({
      source: "x",
      version: 1,
      bidders: 3,
      supplies: 3,
      takenAtMs: 5,
      sample: { supplyId: "s", country: "US" },
    });
  });

  test.each([
    ["away", undefined],
    ["empty", ""],
    ["not one", "{}\n"],
    ["without a line", "{"],
    ["of another release", '{"format":2}\n'],
  ])("that is %s has no header and no document", async (_, text) => {
    using folder = createFolder();
    const path = folder.path("catalog.snapshot");
    if (text !== undefined) await Bun.write(path, text);
    expect(await readSnapshotHeader(path)).toBeUndefined();
    expect(await readSnapshotDocument(path)).toBeUndefined();
    expect(createSnapshotReader().read(path)).rejects.toThrow();
  });
});

describe("a reader", () => {
  test("has nothing to say of a snapshot that it has read already", async () => {
    using snapshot = createSnapshot();
    await snapshot.write(GOOD);
    const reader = createSnapshotReader();
    expect(await reader.read(snapshot.path)).toBeDefined();
    expect(await reader.read(snapshot.path)).toBeUndefined();
  });

  test("takes over what has not changed, and makes anew what has, or whose bidders have", async () => {
    using snapshot = createSnapshot();
    const reader = createSnapshotReader();
    await snapshot.write(GOOD);
    const { supplies: old } = (await reader.read(snapshot.path))!;
    const supplies = { ...GOOD.supplies, t: ["b", "a"], v: ["a", "b"] };
    const bidders = { ...GOOD.bidders, c: { country: "FR" } };
    await snapshot.write({ supplies, bidders });
    const catalog = (await reader.read(snapshot.path))!;
    expect(catalog.supplies.get("s")).toBe(old.get("s")!);
    expect(catalog.supplies.get("t")).not.toBe(old.get("t")!);
    expect(catalog.supplies.get("u")).not.toBe(old.get("u")!);
    expect(contentOf(catalog)).toEqual(contentOf(buildCatalog({ supplies, bidders }, 2)));
    expect(catalog.supplies.get("t")!.bidders[0]).toBe(old.get("s")!.bidders[1]!);
  });

  test("keeps nothing of the snapshots before the last", async () => {
    using snapshot = createSnapshot();
    const reader = createSnapshotReader();
    const gone = new Set<number>();
    const registry = new FinalizationRegistry((version: number) => gone.add(version));
    for (let i = 0; i < 4; i++) {
      await snapshot.write(GOOD);
      const { supplies, version } = (await reader.read(snapshot.path))!;
      registry.register(supplies, version);
    }
    await until("the first ones are collected", () => {
      Bun.gc(true);
      return gone.has(1) && gone.has(2);
    });
  });

  test("says after any number of changes what the last one says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCatalog, { minLength: 2, maxLength: 4 }), async (documents) => {
        using snapshot = createSnapshot();
        const reader = createSnapshotReader();
        for (const [i, document] of documents.entries()) {
          // The half of what was there stays.
          const before = documents[i - 1] ?? document;
          const next = {
            bidders: { ...before.bidders, ...document.bidders },
            supplies: { ...before.supplies, ...document.supplies },
          };
          await snapshot.write(next);
          const catalog = await reader.read(snapshot.path);
          expect(contentOf(catalog!)).toEqual(contentOf(buildCatalog(next, i + 1)));
        }
      }),
    );
  });

  test("refuses a snapshot that is cut off, and goes on from the one before", async () => {
    using snapshot = createSnapshot();
    const reader = createSnapshotReader();
    await snapshot.write(GOOD);
    const { supplies: old } = (await reader.read(snapshot.path))!;
    await snapshot.write({ ...GOOD, supplies: { ...GOOD.supplies, v: ["c"] } });
    truncateSync(snapshot.path, Bun.file(snapshot.path).size - 3);
    expect(reader.read(snapshot.path)).rejects.toThrow("not a whole snapshot");
    await snapshot.write(GOOD);
    expect((await reader.read(snapshot.path))!.supplies.get("s")).toBe(old.get("s")!);
  });

  test("lets the event loop turn while it reads", async () => {
    using snapshot = createSnapshot();
    const supplies = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`supply${i}`, ["a", "b", "c"]]),
    );
    await snapshot.write({ ...GOOD, supplies });
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const catalog = await createSnapshotReader().read(snapshot.path);
    isOver = true;
    expect(catalog!.supplies.size).toBe(20_000);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(Bun.file(snapshot.path).size / 2 ** 15));
  });

  test("keeps the bidders of supplies that list the same ones once", async () => {
    using snapshot = createSnapshot();
    await snapshot.write(GOOD);
    const { supplies } = (await createSnapshotReader().read(snapshot.path))!;
    expect(supplies.get("s")!.bidders).toBe(supplies.get("t")!.bidders);
    expect(supplies.get("s")!.eligible).toBe(supplies.get("t")!.eligible);
  });
});
