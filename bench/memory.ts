import { readFileSync } from "node:fs";

const EVERY_MS = 1_000;
/** Start-up and the first collections; a shorter watch leaves out its first half. */
const SETTLED_AFTER_SECONDS = 60;

/** Resident memory of one process at one moment. */
interface Reading {
  readonly seconds: number;
  readonly mib: number;
}

export interface MemoryWatch {
  /** Ends the watch. Largest worker at the end, and the steepest slope of any; NaN off Linux. */
  stop(): { workerMib: number; slopeMibPerMinute: number; curve: readonly Reading[] };
}

/** Reads the resident memory of each process every second. */
export function watchMemory(pids: readonly number[]): MemoryWatch {
  const startedMs = performance.now();
  const curves = pids.map((): Reading[] => []);
  function read(): void {
    const seconds = (performance.now() - startedMs) / 1000;
    for (const [i, pid] of pids.entries()) curves[i]!.push({ seconds, mib: residentMib(pid) });
  }
  read();
  const timer = setInterval(read, EVERY_MS);

  return {
    stop() {
      clearInterval(timer);
      read();
      const lasts = curves.map((curve) => curve.at(-1)!.mib);
      const workerMib = Math.max(...lasts);
      return {
        workerMib,
        slopeMibPerMinute: Math.max(...curves.map(slopePerMinute)),
        curve: curves[lasts.indexOf(workerMib)] ?? [],
      };
    },
  };
}

/** @throws Error when the process is gone */
function residentMib(pid: number): number {
  if (process.platform !== "linux") return Number.NaN;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) / 1024;
}

/** Least squares over what follows the first minute. */
export function slopePerMinute(curve: readonly Reading[]): number {
  const fromSeconds = Math.min(SETTLED_AFTER_SECONDS, (curve.at(-1)?.seconds ?? 0) / 2);
  const settled = curve.filter(({ seconds }) => seconds >= fromSeconds);
  const mean = (of: (reading: Reading) => number) =>
    settled.reduce((sum, reading) => sum + of(reading), 0) / settled.length;
  const meanSeconds = mean((reading) => reading.seconds);
  const meanMib = mean((reading) => reading.mib);
  const covariance = mean(({ seconds, mib }) => (seconds - meanSeconds) * (mib - meanMib));
  const variance = mean(({ seconds }) => (seconds - meanSeconds) ** 2);
  return variance === 0 ? 0 : (covariance / variance) * 60;
}
