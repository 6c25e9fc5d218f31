import { createMailbox } from "../../src/actor/mailbox.ts";
import { printTiming, readRounds, timeRounds } from "../timing.ts";

/* What does it cost to tell an actor one message and have it handled, in bursts of 64? */
const MESSAGES = 64_000;
const BURST = 64;

let drain = () => {};
let checksum = 0;
const mailbox = createMailbox<{ value: number }>({
  capacity: BURST,
  receive: ({ value }) => {
    checksum += value;
  },
  onFault: (fault) => {
    throw fault;
  },
  schedule: (run) => {
    drain = run;
  },
});

const timing = timeRounds(readRounds(50), MESSAGES, () => {
  for (let told = 0; told < MESSAGES; told += BURST) {
    for (let i = 0; i < BURST; i++) mailbox.tell({ value: i });
    drain();
  }
});
printTiming("mailbox message", timing, checksum);
