import { readProc } from "./proc.ts";
import { type Spread, spread } from "./summary.ts";

const EVERY_MS = 1_000;
/** Start-up and the first collections; a watch below twice that long leaves out its first half. */
export const SETTLED_AFTER_SECONDS = 60;

/** Of a settled watch. Of ten minutes, long enough that garbage is collected in each. */
const PARTS = 20;

/** Memory of one process at one moment. */
interface Reading {
  readonly seconds: number;
  readonly mib: number;
}

export interface MemoryUse {
  /**
   * The largest worker by its median, MiB, once it has settled. It goes up and down by 20 within
   * seconds, as garbage is collected: the last reading alone says little.
   */
  readonly workerMib: Spread;
  /** Growth of what collections leave; the steepest of the workers, once they have settled. */
  readonly slopeMibPerMinute: number;
  /** The largest worker, second by second. */
  readonly curve: readonly Reading[];
}

export interface MemoryWatch {
  /** Ends the watch. NaN off Linux. @throws Error when a process is gone */
  stop(): MemoryUse;
}

/** MiB of a process; NaN off Linux. @throws Error when the process is gone */
type ReadMib = (pid: number) => number;

/** Reads the memory of each process every second. */
export function watchMemory(pids: readonly number[], readMib: ReadMib = residentMib): MemoryWatch {
  const startedMs = performance.now();
  const curves = pids.map((): Reading[] => []);
  function read(): void {
    const seconds = (performance.now() - startedMs) / 1000;
    for (const [i, pid] of pids.entries()) curves[i]!.push({ seconds, mib: readMib(pid) });
  }
  read();
  const timer = setInterval(readOrGiveUp, EVERY_MS);
  timer.unref(); // A measurement that fails never calls stop: it must not keep us running.

  /** Thrown here, the fault would reach nobody: `stop` meets it again. */
  function readOrGiveUp(): void {
    try {
      read();
    } catch {
      clearInterval(timer);
    }
  }

  return {
    stop() {
      clearInterval(timer);
      read();
      return summarizeMemory(curves);
    },
  };
}

/** @param curves  one of each worker */
export function summarizeMemory(curves: readonly (readonly Reading[])[]): MemoryUse {
  const levels = curves.map((curve) => spread(settled(curve).map(({ mib }) => mib)));
  const largest = levels.reduce((a, b) => (b.median > a.median ? b : a));
  return {
    workerMib: largest,
    slopeMibPerMinute: Math.max(...curves.map(slopePerMinute)),
    curve: curves[levels.indexOf(largest)]!,
  };
}

/** What it has resident, pages that others have as well included. */
const residentMib: ReadMib = (pid) => mibIn(pid, "status", /^VmRSS:\s+(\d+) kB$/m);

/**
 * The same with shared pages in equal parts, so that a sum over processes is what they take (PSS,
 * proc_pid_smaps(5)). The kernel looks at every page for that: not beside a measured latency.
 */
export const shareMib: ReadMib = (pid) => mibIn(pid, "smaps_rollup", /^Pss:\s+(\d+) kB$/m);

function mibIn(pid: number, file: string, line: RegExp): number {
  if (process.platform !== "linux") return Number.NaN;
  return Number(readProc(pid, file).match(line)?.[1]) / 1024;
}

/** What follows the first minute; of a watch below two minutes its second half. */
function settled(curve: readonly Reading[]): Reading[] {
  const fromSeconds = Math.min(SETTLED_AFTER_SECONDS, (curve.at(-1)?.seconds ?? 0) / 2);
  return curve.filter(({ seconds }) => seconds >= fromSeconds);
}

/**
 * Growth, MiB a minute, once it has settled: the slope, by least squares, of a line through the
 * least reading of each part. How high garbage stands in between says nothing of it.
 */
export function slopePerMinute(curve: readonly Reading[]): number {
  const readings = leastOfEachPart(settled(curve));
  const mean = (of: (reading: Reading) => number) =>
    readings.reduce((sum, reading) => sum + of(reading), 0) / readings.length;
  const meanSeconds = mean((reading) => reading.seconds);
  const meanMib = mean((reading) => reading.mib);
  const covariance = mean(({ seconds, mib }) => (seconds - meanSeconds) * (mib - meanMib));
  const variance = mean(({ seconds }) => (seconds - meanSeconds) ** 2);
  return variance === 0 ? 0 : (covariance / variance) * 60;
}

function leastOfEachPart(readings: readonly Reading[]): Reading[] {
  if (readings.length < PARTS) return [...readings];
  const first = readings[0]!.seconds;
  const partSeconds = (readings.at(-1)!.seconds - first) / PARTS;
  const least = new Map<number, Reading>();
  for (const reading of readings) {
    const part = Math.min(PARTS - 1, Math.floor((reading.seconds - first) / partSeconds));
    if (reading.mib < (least.get(part)?.mib ?? Number.POSITIVE_INFINITY)) least.set(part, reading);
  }
  return [...least.values()];
}
