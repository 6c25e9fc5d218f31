import { readFileSync } from "node:fs";

/**
 * One of Linux's files about a process, proc(5).
 * @throws Error naming the process when it is gone
 */
export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (cause) {
    throw new Error(`process ${pid} is gone`, { cause });
  }
}
