import { createDenyCache } from "../../src/limiter/deny-cache.ts";
import { printTiming, readRounds, timeRounds } from "../timing.ts";

/* What does it cost to refuse a client from memory, with 10,000 of them denied? */
const CLIENTS = 10_000;
const LOOKUPS = 100_000;
const WAIT_MS = 3_600_000;

const denied = createDenyCache();
const clients = Array.from({ length: CLIENTS }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
for (const client of clients) denied.deny(client, performance.now(), WAIT_MS);

let checksum = 0;
const timing = timeRounds(readRounds(50), LOOKUPS, () => {
  for (let i = 0; i < LOOKUPS; i++) {
    if (denied.waitMs(clients[(i * 7) % CLIENTS]!) > 0) checksum++;
  }
});
printTiming("refusal from memory", timing, checksum);
