import { spread } from "./summary.ts";

/** Nanoseconds of one operation over the rounds. */
interface Timing {
  readonly median: number;
  readonly least: number;
  readonly rounds: number;
}

/** Times rounds of so many operations each. */
export function timeRounds(rounds: number, operations: number, run: () => void): Timing {
  return summarizeRounds(Array.from({ length: rounds }, () => timeRound(operations, run)));
}

/** @returns nanoseconds of one of the operations that `run` makes */
export function timeRound(operations: number, run: () => void): number {
  const beganAt = Bun.nanoseconds();
  run();
  return (Bun.nanoseconds() - beganAt) / operations;
}

export function summarizeRounds(nanoseconds: readonly number[]): Timing {
  const { median, least } = spread(nanoseconds);
  return { median, least, rounds: nanoseconds.length };
}

/** One line, with a checksum that proves that the work was done. */
export function printTiming(name: string, timing: Timing, checksum: number): void {
  const { median, least, rounds } = timing;
  process.stdout.write(
    `${name}: ${median.toFixed(0)} ns (median of ${rounds} rounds, least ${least.toFixed(0)}), ` +
      `checksum ${checksum}\n`,
  );
}

/** Rounds from the command line, else `usual`. */
export const readRounds = (usual: number): number => Number(process.argv[2] ?? usual);
