import { expect, test } from "bun:test";
import { dirname, join } from "node:path";

/** Requests travel down this list, so an import may only point further down. */
const LAYERS = ["http", "limiter", "bidders", "auction", "stats", "store", "catalog", "actor"];
/** These put the layers together, so they may import any of them, and none may import them. */
const OUTSIDE = ["app.ts", "main.ts", "supervisor.ts", "worker.ts", "processes", "sandbox"];
const LINES_MAX = 260;
const COLUMNS_MAX = 100;
const READS_ENVIRONMENT = ["src/main.ts", "src/processes/worker-process.ts", "src/sandbox/main.ts"];

const sources = new Map<string, string>();
for (const path of new Bun.Glob("src/**/*.{ts,lua}").scanSync(".")) {
  sources.set(path, await Bun.file(path).text());
}

const layerOf = (path: string) => LAYERS.indexOf(path.split("/")[1] ?? "");
const isOutside = (path: string) => OUTSIDE.includes(path.split("/")[1] ?? "");

function importsOf(path: string, source: string): string[] {
  const specifiers = [...source.matchAll(/from "(\.\.?\/[^"]+)"/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => join(dirname(path), specifier));
}

/** The files that break a rule, so that a failure names all of them. */
const offenders = (breaks: (path: string, source: string) => boolean) =>
  [...sources].filter(([path, source]) => breaks(path, source)).map(([path]) => path);

test("imports point down the layers", () => {
  const pointsUp = (path: string, target: string) =>
    isOutside(target) || (layerOf(target) >= 0 && layerOf(target) < layerOf(path));
  const found = offenders(
    (path, source) =>
      !isOutside(path) && importsOf(path, source).some((target) => pointsUp(path, target)),
  );
  expect(found).toEqual([]);
});

test("no file imports itself in a circle", () => {
  const edges = new Map<string, string[]>();
  for (const [path, source] of sources) {
    edges.set(path, importsOf(path, source.replaceAll(/import type [^;]+;/g, "")));
  }
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]) => {
    expect(way.includes(path), [...way, path].join(" -> ")).toBe(false);
    if (done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
});

test(`files have at most ${LINES_MAX} lines of ${COLUMNS_MAX} columns`, () => {
  const found = offenders((_path, source) => {
    const lines = source.split("\n");
    return lines.length > LINES_MAX || lines.some((line) => line.length > COLUMNS_MAX);
  });
  expect(found).toEqual([]);
});

test("the environment is read only where settings are made", () => {
  const found = offenders((_path, source) => source.includes("process.env"));
  expect(found.sort()).toEqual(READS_ENVIRONMENT);
});

test("nothing is left half done", () => {
  const leftover = /\b(TODO|FIXME|XXX)\b|\bas any\b|: any\b|@ts-ignore|console\.log/;
  expect(offenders((_path, source) => leftover.test(source))).toEqual([]);
});

test("the store is never searched for keys", () => {
  const search = /\.(keys|scan)\(|"(KEYS|SCAN)"/;
  const inRedis = (path: string) => path.startsWith("src/store/redis/");
  expect(offenders((path, source) => inRedis(path) && search.test(source))).toEqual([]);
});

test("the lockfile names no registry", async () => {
  const lock = await Bun.file("bun.lock").text();
  expect(lock.match(/https?:\/\/[^\s"]*/g) ?? []).toEqual([]);
});

test("one copy of TypeBox is installed", async () => {
  const lock = await Bun.file("bun.lock").text();
  expect(lock.match(/"@sinclair\/typebox@[^"]+"/g)).toHaveLength(1);
});
