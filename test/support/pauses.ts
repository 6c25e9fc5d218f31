import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Environment } from "./exchange.ts";

/** Settings of a copy of the service whose workers write down the pauses of their event loops. */
export const monitored = (dir: string): Environment => ({
  BUN_OPTIONS: `--preload=${resolve(import.meta.dir, "loop-monitor.ts")}`,
  LOOP_MONITOR_DIR: dir,
});

/** The longest pauses of all workers since a time of `Date.now()`, milliseconds, longest first. */
export function pausesSince(dir: string, sinceMs: number): number[] {
  const lines = readdirSync(dir).flatMap((name) =>
    readFileSync(join(dir, name), "utf8").trimEnd().split("\n"),
  );
  const pauses = lines.map((line) => line.split(" ").map(Number) as [number, number]);
  return pauses
    .filter(([atMs]) => atMs >= sinceMs)
    .map(([, pauseMs]) => pauseMs)
    .sort((a, b) => b - a);
}
