import { openWindows } from "../../src/store/embedded/windows-file.ts";
import { RING_LIMIT } from "./ring-processes.ts";

/** Asks for each client in turn, so that several such processes meet at every one. */
const [path, clients, rounds] = process.argv.slice(2);
const { admit } = openWindows(path!, RING_LIMIT, { now: () => 0, doubtMs: 0 });
const granted = new Array<number>(Number(clients)).fill(0);
for (let round = 0; round < Number(rounds); round++) {
  for (let i = 0; i < granted.length; i++) granted[i]! += admit(`client ${i}`).granted;
}
process.stdout.write(JSON.stringify(granted));
