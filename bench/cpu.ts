import { readFileSync } from "node:fs";
import { readProc } from "./proc.ts";

/** CPU time used so far, seconds. Only Linux tells it for other processes; elsewhere NaN. */
export interface CpuClock {
  of(pids: readonly number[]): number;
  ofMachine(): number;
}

export function createCpuClock(): CpuClock {
  if (process.platform !== "linux") return { of: () => Number.NaN, ofMachine: () => Number.NaN };
  const ticksPerSecond = Number(Bun.spawnSync(["getconf", "CLK_TCK"]).stdout.toString());

  /** User and system time of every thread. @throws Error when the process is gone */
  function ofProcess(pid: number): number {
    const stat = readProc(pid, "stat");
    // The name in brackets may hold anything; the fields after it are counted from the third.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[14 - 3]) + Number(fields[15 - 3])) / ticksPerSecond;
  }

  /** All that is not idle or waiting for a disk: user, nice, system, irq, softirq, steal. */
  function ofMachine(): number {
    const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n");
    const fields = first.split(/\s+/).slice(1).map(Number);
    const busy = [0, 1, 2, 5, 6, 7].reduce((sum, field) => sum + (fields[field] ?? 0), 0);
    return busy / ticksPerSecond;
  }

  const of = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + ofProcess(pid), 0);
  return { of, ofMachine };
}
