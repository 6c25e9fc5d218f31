import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  compareWith,
  expectCommonRows,
  findRegressions,
  readBaseline,
} from "../../bench/baseline.ts";
import { SCENARIOS } from "../../bench/scenarios.ts";

const USUAL = { generator: "autocannon", workers: 3, supplies: 100_000 } as const;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "test-baseline-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function save(content: unknown): Promise<string> {
  const path = join(dir, "results.json");
  await Bun.write(path, JSON.stringify(content));
  return path;
}

const row = (scenario: string, median?: number, pacedBy?: string, connections = 64) => ({
  scenario,
  connections,
  pacedBy,
  ratio: median === undefined ? undefined : { median, least: median, most: median },
});

test("ratios of the same scenario and connections are compared", async () => {
  const baseline = await readBaseline(
    await save({
      rows: [row("reference", 1), row("one-client", 2), row("one-client", 5, "x")],
      plan: USUAL,
    }),
    USUAL,
  );
  const now = [
    row("one-client", 2.2),
    row("one-client", 9, "x"),
    row("one-client", 3, undefined, 8),
  ];
  const differences = compareWith(baseline, now);
  expect(differences).toHaveLength(1);
  expect(differences[0]).toMatchObject({ scenario: "one-client", before: 2, now: 2.2 });
  expect(differences[0]!.percent).toBeCloseTo(10);
});

test("a ratio that grew too much, or cannot be told, is a regression where there is a limit", () => {
  const differences = [10, 10.1, Number.NaN].map((percent) => ({
    scenario: "raw",
    connections: 64,
    before: 1,
    now: 1,
    percent,
  }));
  const percentsOf = (percentMax?: number) =>
    findRegressions(differences, percentMax).map(({ percent }) => percent);
  expect(percentsOf(10)).toEqual([10.1, Number.NaN]);
  expect(percentsOf()).toEqual([]);
});

test("a file that is no result, or has none to compare, is refused by name", async () => {
  const path = await save({ rows: [row("one-client")] });
  await expect(readBaseline(path, USUAL)).rejects.toThrow(`baseline ${path}`);
  await expect(readBaseline(join(dir, "nothing.json"), USUAL)).rejects.toThrow("nothing.json");
});

test("a baseline that was measured in another way is refused, and says in which", async () => {
  const path = await save({ rows: [row("reference", 1)], plan: { ...USUAL, generator: "wrk" } });
  await expect(readBaseline(path, { ...USUAL, generator: "wrk" })).resolves.toHaveLength(1);
  const refused = expect(readBaseline(path, USUAL)).rejects;
  await refused.toThrow("measured with generator wrk, not autocannon");
});

test("a baseline with no row of this run but the reference is refused", () => {
  const baseline = [
    row("reference", 1),
    row("one-client", 2),
    row("raw"),
    row("stat", 2, "distinct-redis"),
  ];
  const planned = (names: string[], ...connections: number[]) => ({
    scenarios: SCENARIOS.filter(({ name }) => names.includes(name)),
    connections,
  });
  expect(() => expectCommonRows(baseline, planned(["one-client"], 8, 64))).not.toThrow();
  for (const plan of [
    planned(["reference", "raw"], 64),
    planned(["reference", "one-client"], 8),
    planned(["reference", "limiter-off"], 64),
    planned(["reference", "stat"], 64),
  ]) {
    expect(() => expectCommonRows(baseline, plan)).toThrow("has none of these scenarios");
  }
});

test("results that are kept in the repository can be compared with", async () => {
  for (const path of new Bun.Glob("bench/results/*.json").scanSync(".")) {
    const { plan } = await Bun.file(path).json();
    expect((await readBaseline(path, plan)).length, path).toBeGreaterThan(0);
  }
});
