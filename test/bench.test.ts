import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SCENARIOS } from "../bench/scenarios.ts";

const TIMEOUT_MS = 120_000;
const BENCH = [process.execPath, "bench/main.ts"];

/** Runs the benchmark to its end. No time is asserted: it must work, however slow the machine. */
async function runBench(...args: string[]) {
  const bench = Bun.spawn([...BENCH, ...args], { stdout: "pipe", stderr: "pipe" });
  const [table, progress, exitCode] = await Promise.all([
    bench.stdout.text(),
    bench.stderr.text(),
    bench.exited,
  ]);
  return { table, progress, exitCode };
}

test(
  "every scenario gets the answers that it expects and a row of the table",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "test-bench-"));
    try {
      const json = join(dir, "results.json");
      const short = ["--duration", "1", "--rounds", "1", "--connections", "8"];
      const { table, progress, exitCode } = await runBench(...short, "--json", json);
      expect({ exitCode, progress }).toEqual({ exitCode: 0, progress: expect.any(String) });

      const names = SCENARIOS.map(({ name }) => name);
      const rows = table.split("\n").map((line) => line.split(/\s+/)[0]);
      expect(rows).toEqual(expect.arrayContaining(names));

      const results = await Bun.file(json).json();
      expect(results.rows.map((row: { scenario: string }) => row.scenario)).toEqual(names);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);

test("an unknown scenario is refused by name", async () => {
  const { progress, exitCode } = await runBench("--scenario", "nothing");
  expect(exitCode).toBe(1);
  expect(progress).toContain("Choose from reference, distinct-redis");
});
