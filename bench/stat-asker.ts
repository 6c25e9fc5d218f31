import { parentPort, workerData } from "node:worker_threads";
import type { StatTimes } from "./stat-watch.ts";

/*
 * A thread that asks for the statistics once a second, as a dashboard would, until it is told that
 * the load is over. On the generator's own thread an answer would wait for its turn among the bids.
 */
const FIRST_AFTER_MS = 100;
const EVERY_MS = 1_000;
const ANSWER_MS_MAX = 10_000;

const { url } = workerData as { url: string };
const tookMs: number[] = [];
const loadEnd = new Promise<void>((resolve) => parentPort!.once("message", () => resolve()));

/** @returns whether the load is over */
const rest = (ms: number) =>
  Promise.race([loadEnd.then(() => true), Bun.sleep(ms).then(() => false)]);

async function ask(): Promise<void> {
  const askedMs = performance.now();
  const answer = await fetch(`${url}/stat`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`GET /stat: ${answer.status} ${body}`);
  tookMs.push(performance.now() - askedMs);
}

// One at least, however short the load.
await Bun.sleep(FIRST_AFTER_MS);
do await ask();
while (!(await rest(EVERY_MS)));
parentPort!.postMessage(tookMs satisfies StatTimes);
