import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";

/** Requests travel down this list, so an import may only point further down. */
const LAYERS = ["http", "limiter", "auction", "stats", "store", "catalog", "actor"];
/** These put the layers together, so they may import any of them, and none may import them. */
const OUTSIDE = ["app.ts", "main.ts", "supervisor.ts", "worker.ts", "processes"];
const LINES_MAX = 260;

const layerOf = (path: string) => LAYERS.indexOf(path.split("/")[1] ?? "");
const isOutside = (path: string) => OUTSIDE.includes(path.split("/")[1] ?? "");

function importsOf(path: string, source: string): string[] {
  const specifiers = [...source.matchAll(/from "(\.\.?\/[^"]+)"/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => join(dirname(path), specifier));
}

describe("tidy", async () => {
  for (const path of new Bun.Glob("src/**/*.{ts,lua}").scanSync(".")) {
    const source = await Bun.file(path).text();
    const lines = source.split("\n");

    test(`${path} imports only lower layers`, () => {
      if (isOutside(path)) return;
      for (const target of importsOf(path, source)) {
        expect(isOutside(target), target).toBe(false);
        if (layerOf(target) < 0) continue;
        expect(layerOf(target), target).toBeGreaterThanOrEqual(layerOf(path));
      }
    });

    test(`${path} stays readable`, () => {
      expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    });

    test(`${path} reads the environment only where settings are made`, () => {
      const allowed = ["src/main.ts", "src/processes/worker-process.ts"];
      if (!allowed.includes(path)) expect(source).not.toContain("process.env");
    });

    test(`${path} leaves nothing half done`, () => {
      expect(source).not.toMatch(/\b(TODO|FIXME|XXX)\b|\bas any\b|@ts-ignore|console\.log/);
    });
  }

  test("no layer imports in a circle", async () => {
    const edges = new Map<string, string[]>();
    for (const path of new Bun.Glob("src/**/*.ts").scanSync(".")) {
      const source = (await Bun.file(path).text()).replaceAll(/import type [^;]+;/g, "");
      edges.set(path, importsOf(path, source));
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

  test("the lockfile names no registry", async () => {
    const lock = await Bun.file("bun.lock").text();
    expect(lock.match(/https?:\/\/[^\s"]*/g) ?? []).toEqual([]);
  });

  test("one copy of TypeBox is installed", async () => {
    const lock = await Bun.file("bun.lock").text();
    expect(lock.match(/"@sinclair\/typebox@[^"]+"/g)).toHaveLength(1);
  });
});
