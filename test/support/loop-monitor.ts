import { appendFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Loaded before the service (`BUN_OPTIONS=--preload=…`), it writes down every pause of a worker's
 * event loop: a line with the time of its end, milliseconds since the epoch, and its length.
 */
const SHOWN_MS = 10;
const EVERY_MS = 2;

const dir = process.env.LOOP_MONITOR_DIR;
if (dir !== undefined && process.argv.at(-1) === "worker") {
  let lastMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    const pauseMs = nowMs - lastMs - EVERY_MS;
    lastMs = nowMs;
    if (pauseMs < SHOWN_MS) return;
    appendFileSync(join(dir, String(process.pid)), `${Date.now()} ${pauseMs.toFixed(1)}\n`);
  }, EVERY_MS).unref();
}
