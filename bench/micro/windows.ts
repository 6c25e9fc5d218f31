import { admissionRingOver, ringBytes } from "../../src/store/embedded/admission-ring.ts";
import { createWindows } from "../../src/store/embedded/windows.ts";
import { printTiming, readRounds, timeRounds } from "../timing.ts";

/* What does it cost to admit a client never seen before, from the windows in memory? */
const ADMISSIONS_KEPT = 65_536;
const ADMISSIONS = 50_000;

const windows = createWindows({
  limit: { max: 3, windowMs: 60_000 },
  ring: admissionRingOver(new Uint8Array(ringBytes(ADMISSIONS_KEPT))),
});

let clients = 0;
let checksum = 0;
const timing = timeRounds(readRounds(50), ADMISSIONS, () => {
  for (let i = 0; i < ADMISSIONS; i++) {
    clients++;
    const client = `10.${clients >> 16}.${(clients >> 8) & 255}.${clients & 255}`;
    checksum += windows.admit(client).granted;
  }
});
printTiming("admission of a new client", timing, checksum);
