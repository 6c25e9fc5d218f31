import type { Children } from "./children.ts";
import type { CpuClock } from "./cpu.ts";
import type { Scenario } from "./scenario.ts";

/** What a run measures, and how often. */
export interface Plan {
  scenarios: readonly Scenario[];
  connections: readonly number[];
  rounds: number;
  /** Measurements of a scenario in a round, each right after one of the reference. */
  turns: number;
  seconds: number;
  workers: number;
  /** Supplies of the large catalog. */
  supplies: number;
  /** What sends closed loops; a fixed rate is always autocannon's. */
  generator: "autocannon" | "wrk";
  /** Share of one core that others may use; with more, a measurement is taken again, some times. */
  othersShareMax: number;
}

/** What runs of one plan share. */
export interface Tools {
  children: Children;
  clock: CpuClock;
  say: (line: string) => void;
}
