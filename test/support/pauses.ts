import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Environment } from "./exchange.ts";

/** Settings of a copy of the service whose workers write down the pauses of their event loops. */
export const monitored = (dir: string): Environment => ({
  BUN_OPTIONS: `--preload=${resolve(import.meta.dir, "loop-monitor.ts")}`,
  LOOP_MONITOR_DIR: dir,
});

/** The pauses of all workers in a while, milliseconds, longest first. */
export interface Pauses {
  /** As a client sees them. */
  readonly whole: readonly number[];
  /** Without the time in which other processes had the processors. */
  readonly own: readonly number[];
}

/** @param sinceMs  a time of `Date.now()` */
export function pausesSince(dir: string, sinceMs: number): Pauses {
  const lines = readdirSync(dir).flatMap((name) =>
    readFileSync(join(dir, name), "utf8").trimEnd().split("\n"),
  );
  const pauses = lines.map((line) => line.split(" ").map(Number)).filter(([at]) => at! >= sinceMs);
  const longestFirst = (column: number) =>
    pauses.map((pause) => pause[column]!).sort((a, b) => b - a);
  return { whole: longestFirst(1), own: longestFirst(2) };
}
