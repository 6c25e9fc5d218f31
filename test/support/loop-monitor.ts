import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Loaded before the service (`BUN_OPTIONS=--preload=…`), it writes down every pause of a worker's
 * event loop: the time of its end, milliseconds since the epoch, its length, and its length without
 * the time in which the thread could run but had no processor.
 */
const SHOWN_MS = 10;
const EVERY_MS = 2;

const dir = process.env.LOOP_MONITOR_DIR;
if (dir !== undefined && process.argv.at(-1) === "worker") {
  let lastMs = performance.now();
  let lastWaitedMs = waitedMs();
  setInterval(() => {
    const pauseMs = performance.now() - lastMs - EVERY_MS;
    const ownMs = pauseMs - (waitedMs() - lastWaitedMs);
    if (pauseMs >= SHOWN_MS) {
      const line = `${Date.now()} ${pauseMs.toFixed(1)} ${Math.max(0, ownMs).toFixed(1)}\n`;
      appendFileSync(join(dir, String(process.pid)), line);
    }
    lastMs = performance.now();
    lastWaitedMs = waitedMs();
  }, EVERY_MS).unref();
}

/** See proc(5), /proc/pid/schedstat: the second number is nanoseconds on a run queue. */
function waitedMs(): number {
  return Number(readFileSync("/proc/self/schedstat", "latin1").split(" ")[1]) / 1e6;
}
