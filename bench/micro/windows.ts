import { admissionRingOver, ringBytes } from "../../src/store/embedded/admission-ring.ts";
import { createWindows } from "../../src/store/embedded/windows.ts";
import { printTiming, readRounds, timeRounds } from "../timing.ts";

/*
 * What does it cost to admit a client never seen before, from the windows in memory, once they are
 * full? Of their real size: most of it is waiting for memory that is in no cache.
 */
const ADMISSIONS_KEPT = 2 ** 21;
const ADMISSIONS = 50_000;

const windows = createWindows({
  limit: { max: 3, windowMs: 60_000 },
  ring: admissionRingOver(new Uint8Array(ringBytes(ADMISSIONS_KEPT))),
});

let clients = 0;
let checksum = 0;

function admitNew(count: number): void {
  for (let i = 0; i < count; i++) {
    clients++;
    const client = `${(clients >> 16) & 255}.${(clients >> 8) & 255}.${clients & 255}.${clients >> 24}`;
    checksum += windows.admit(client).granted;
  }
}

const rounds = readRounds(50);
admitNew(rounds === 1 ? ADMISSIONS : ADMISSIONS_KEPT);
printTiming(
  "admission of a new client",
  timeRounds(rounds, ADMISSIONS, () => admitNew(ADMISSIONS)),
  checksum,
);
