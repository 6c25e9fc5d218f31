import { readFileSync } from "node:fs";

/** Resident memory of the processes together, bytes. */
export function residentBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    kilobytes += Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

export const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
