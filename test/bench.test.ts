import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SCENARIOS } from "../bench/scenarios.ts";
import { hasWrk } from "../bench/wrk.ts";

const TIMEOUT_MS = 240_000;
/** Then it is ended, so that the test can say how far it got. */
const BENCH_MS_MAX = 220_000;
const BENCH = [process.execPath, "bench/main.ts"];
const SHORT = "--duration 0.3 --rounds 1 --turns 1 --connections 8 --workers 1".split(" ");

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "test-bench-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Runs the benchmark to its end. No time is asserted: it must work, however slow the machine. */
async function runBench(...args: string[]) {
  const bench = Bun.spawn([...BENCH, ...args], {
    stdout: "pipe",
    stderr: "pipe",
    timeout: BENCH_MS_MAX,
  });
  const [table, progress, exitCode] = await Promise.all([
    bench.stdout.text(),
    bench.stderr.text(),
    bench.exited,
  ]);
  return { table, progress, exitCode };
}

test(
  "every scenario gets the answers that it expects, a row of the table and its place on the page",
  async () => {
    const json = join(dir, "results.json");
    const html = join(dir, "page.html");
    const small = ["--supplies", "300", "--soak", "0.5"];
    const run = await runBench(...SHORT, ...small, "--json", json, "--html", html);
    const { table, progress, exitCode } = run;
    expect({ exitCode, progress }).toEqual({ exitCode: 0, progress: expect.any(String) });

    const names = SCENARIOS.map(({ name }) => name);
    const firstWords = table.split("\n").map((line) => line.split(/\s+/)[0]);
    expect(firstWords).toEqual(expect.arrayContaining(names));

    const { rows, soaks, targets } = await Bun.file(json).json();
    const closed = rows.filter((row: { pacedBy?: string }) => row.pacedBy === undefined);
    expect(closed.map((row: { scenario: string }) => row.scenario)).toEqual(names);
    const paced = rows.filter((row: { pacedBy?: string }) => row.pacedBy !== undefined);
    expect(
      paced.map(({ scenario, pacedBy }: Record<string, string>) => [scenario, pacedBy]),
    ).toEqual([
      ["reference", "reference"],
      ["reference", "distinct-redis"],
      ["distinct-redis", "distinct-redis"],
      ["reference", "distinct-embedded"],
      ["distinct-embedded", "distinct-embedded"],
      ["stat", "distinct-redis"],
    ]);
    expect(soaks.map((soak: { scenario: string }) => soak.scenario)).toEqual([
      "distinct-redis",
      "distinct-embedded",
    ]);
    // Targets for 64 and 256 connections are not part of this run, nor those of a long soak.
    const unmeasured = targets.filter((target: { verdict: string }) => {
      return target.verdict === "not measured";
    });
    expect(unmeasured).toHaveLength(6);

    const page = await Bun.file(html).text();
    for (const name of names) expect(page).toContain(`<th>${name}<td>`);
    expect(page).toContain("<canvas");
    expect(page).not.toMatch(/(src|href)=/); // It needs nothing from elsewhere.
  },
  TIMEOUT_MS,
);

test(
  "a ratio above the baseline's fails the run that asked for it",
  async () => {
    const baseline = join(dir, "baseline.json");
    const row = (scenario: string, median: number) => ({
      scenario,
      connections: 8,
      ratio: { median, least: median, most: median },
    });
    // Nothing costs a thousandth of itself, nor a thousand times as much.
    const rows = [row("reference", 1), row("raw", 0.001)];
    const plan = { generator: "autocannon", workers: 1, supplies: 100_000 };
    await Bun.write(baseline, JSON.stringify({ rows, plan }));
    const chosen = ["--scenario", "reference", "--scenario", "raw", "--baseline", baseline];
    const json = join(dir, "two-rounds.json");
    const told = await runBench(...SHORT, ...chosen, "--rounds", "2", "--json", json);
    expect(told.exitCode).toBe(0);
    const measured = (await Bun.file(json).json()).rows;
    expect(measured[0]).toMatchObject({ scenario: "reference", ratio: { least: 1, most: 1 } });
    expect(told.table).toContain("difference");
    const failed = await runBench(...SHORT, ...chosen, "--fail-on-regression", "50");
    expect(failed.exitCode).toBe(1);
    expect(failed.progress).toContain("regression: raw, 8 connections");
  },
  TIMEOUT_MS,
);

test(
  "wrk sends the load where it is installed, and its answers are checked the same way",
  async () => {
    const chosen = ["one-client", "every-supply"];
    const scenarios = chosen.flatMap((name) => ["--scenario", name]);
    const json = join(dir, "wrk.json");
    const args = [
      ...SHORT,
      ...scenarios,
      "--supplies",
      "300",
      "--generator",
      "wrk",
      "--json",
      json,
    ];
    const { exitCode, progress } = await runBench(...args);
    if (!hasWrk()) {
      expect({ exitCode, progress }).toMatchObject({ exitCode: 1 });
      expect(progress).toContain("wrk is not on PATH");
      return;
    }
    expect({ exitCode, progress }).toEqual({ exitCode: 0, progress: expect.any(String) });
    const { rows } = await Bun.file(json).json();
    const kinds = (scenario: string) =>
      rows
        .find((row: { scenario: string }) => row.scenario === scenario)
        .answers.map(({ kind }: { kind: string }) => kind)
        .sort();
    expect(kinds("every-supply")).toEqual(["200", "no_bids"]);
    expect(kinds("one-client")).toContain("rate_limited");
  },
  TIMEOUT_MS,
);

test("an unknown scenario is refused by name", async () => {
  const { progress, exitCode } = await runBench("--scenario", "nothing");
  expect(exitCode).toBe(1);
  expect(progress).toContain("Choose from reference, raw, answer-floor");
});

test(
  "the usual name of a scenario chooses it on both stores",
  async () => {
    const chosen = ["--scenario", "one-client", "--store", "both"];
    const { table, exitCode } = await runBench(...SHORT, ...chosen);
    expect(exitCode).toBe(0);
    expect(table.match(/^one-client\S*/gm)).toEqual(["one-client-redis", "one-client"]);
  },
  TIMEOUT_MS,
);

test("a folder that is missing is told of before the load", async () => {
  const json = join(dir, "missing", "results.json");
  const { progress, exitCode } = await runBench(...SHORT, "--scenario", "raw", "--json", json);
  expect(exitCode).toBe(1);
  expect(progress).toContain(`${json} cannot be written`);
  expect(progress).not.toContain("starting");
});

test("options that need another one say which", async () => {
  const alone = await runBench("--fail-on-regression", "5");
  expect(alone).toMatchObject({ exitCode: 1, progress: expect.stringContaining("--baseline") });
  const results = "results-that-nobody-reads.json";
  const without = await runBench("--scenario", "one-client", "--baseline", results);
  expect(without).toMatchObject({ exitCode: 1, progress: expect.stringContaining("reference") });
});
