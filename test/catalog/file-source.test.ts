import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CatalogError } from "../../src/catalog/document.ts";
import { loadCatalogFile, watchCatalogFile } from "../../src/catalog/file-source.ts";

const GOOD = { supplies: { s: ["b"] }, bidders: { b: { country: "US" } } };

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "catalog-"));
  path = join(dir, "catalog.json");
});
afterEach(() => rm(dir, { recursive: true }));

describe("loadCatalogFile", () => {
  /** The problems of a file with this text. */
  async function problemsOf(text: string): Promise<readonly string[]> {
    await writeFile(path, text);
    const error = await loadCatalogFile(path).catch((fault) => fault);
    expect(error).toBeInstanceOf(CatalogError);
    return (error as CatalogError).problems;
  }

  test("reads a good file", async () => {
    await writeFile(path, JSON.stringify(GOOD));
    expect(await loadCatalogFile(path)).toEqual(GOOD);
  });

  test("names the file that is away", async () => {
    const error = await loadCatalogFile(path).catch((fault) => fault);
    expect(error).toBeInstanceOf(CatalogError);
    expect(error.problems[0]).toStartWith(`${path}: ENOENT`);
  });

  test("never shows the password of a URL that was taken for a path", async () => {
    const error = await loadCatalogFile("postgres:/me:hunter2@db/a").catch((fault) => fault);
    expect(error).toBeInstanceOf(CatalogError);
    expect(error.message).toContain("postgres:/me:***@db/a: ENOENT");
    expect(error.message).not.toContain("hunter2");
  });

  test("names the file that is a folder", async () => {
    const error = await loadCatalogFile(dir).catch((fault) => fault);
    expect(error).toBeInstanceOf(CatalogError);
    expect(error.problems[0]).toStartWith(`${dir}: EISDIR`);
  });

  test.each(["", "{", '{"supplies": {},}'])("names the file that is not JSON: %p", async (text) => {
    expect((await problemsOf(text))[0]).toStartWith(`${path}: not JSON: `);
  });

  test("reports what the catalog breaks", async () => {
    const problems = await problemsOf('{"supplies": {"s": ["nobody"]}, "bidders": {}}');
    expect(problems).toEqual(["#/supplies/s/0: expected the id of a bidder of this catalog"]);
  });
});

describe("watchCatalogFile", () => {
  /** Watches the file: how often a change was told, and a promise of the next one. */
  function watched() {
    let told = 0;
    let next = Promise.withResolvers<void>();
    const unwatch = watchCatalogFile(path, () => {
      told++;
      next.resolve();
      next = Promise.withResolvers<void>();
    });
    return { unwatch, told: () => told, next: () => next.promise };
  }

  /** Resolves when a change made now has been told to its own watch: earlier ones were, too. */
  async function untilTold(name: string): Promise<void> {
    const change = Promise.withResolvers<void>();
    const unwatch = watchCatalogFile(join(dir, name), change.resolve);
    await writeFile(join(dir, name), "x");
    await change.promise;
    unwatch();
  }

  test("tells of a file that was written, once for a burst of pieces", async () => {
    await writeFile(path, "");
    const { unwatch, told, next } = watched();
    const change = next();
    for (const piece of ["a", "b", "c"]) await writeFile(path, piece, { flag: "a" });
    await change;
    expect(told()).toBe(1);
    unwatch();
  });

  test("tells of every file that was renamed into place, one after the other", async () => {
    await writeFile(path, "old");
    const { unwatch, next } = watched();
    for (const text of ["new", "newer"]) {
      const change = next();
      await writeFile(join(dir, "tmp"), text);
      await rename(join(dir, "tmp"), path);
      await change;
    }
    unwatch();
  });

  test("tells of a file that was not there at first", async () => {
    const { unwatch, next } = watched();
    const change = next();
    await writeFile(path, "new");
    await change;
    unwatch();
  });

  test("does not tell of other files, nor of anything after the end of the watch", async () => {
    const { unwatch, told } = watched();
    await writeFile(join(dir, "neighbour.json"), "x");
    await untilTold("first");
    expect(told()).toBe(0);
    const noticer = watch(dir);
    const seen = once(noticer, "change");
    await writeFile(path, "x");
    await seen; // The change has been noticed, and the quiet time after it has begun.
    noticer.close();
    unwatch();
    await untilTold("second");
    expect(told()).toBe(0);
  });

  test("takes a folder that cannot be watched for one that never changes", () => {
    const unwatch = watchCatalogFile(join(dir, "away", "catalog.json"), () => {});
    expect(unwatch).not.toThrow();
  });
});
