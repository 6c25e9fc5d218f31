import { parentPort, workerData } from "node:worker_threads";
import type { StatTimes } from "./stat-watch.ts";

/*
 * A thread that asks for the statistics once a second, as a dashboard would, until it is told that
 * the load is over. On the generator's own thread an answer would wait for its turn among the bids;
 * `fetch` has a thread of its own, which would wait for a core twice.
 */
const FIRST_AFTER_MS = 100;
const EVERY_MS = 1_000;
const ANSWER_MS_MAX = 10_000;
const REQUEST = "GET /stat HTTP/1.1\r\nHost: exchange\r\n\r\n";

const { url } = workerData as { url: string };
const tookMs: number[] = [];
const loadEnd = new Promise<void>((resolve) => parentPort!.once("message", () => resolve()));
let received = "";
let answered: PromiseWithResolvers<string> | undefined;

const socket = await Bun.connect({
  hostname: new URL(url).hostname,
  port: Number(new URL(url).port),
  socket: {
    data(_, bytes) {
      received += bytes.toString("latin1");
      if (isWhole(received)) answered?.resolve(received);
    },
    close: () => answered?.reject(new Error(`GET /stat: closed after "${received}"`)),
  },
});

function isWhole(answer: string): boolean {
  const bodyAt = answer.indexOf("\r\n\r\n") + 4;
  const length = /^content-length: (\d+)/im.exec(answer.slice(0, bodyAt))?.[1];
  return bodyAt >= 4 && answer.length >= bodyAt + Number(length);
}

async function ask(): Promise<void> {
  received = "";
  answered = Promise.withResolvers();
  const askedMs = performance.now();
  socket.write(REQUEST);
  const late = Bun.sleep(ANSWER_MS_MAX).then(() => `nothing within ${ANSWER_MS_MAX} ms`);
  const answer = await Promise.race([answered.promise, late]);
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`GET /stat: ${answer}`);
  tookMs.push(performance.now() - askedMs);
}

/** @returns whether the load is over */
const rest = (ms: number) =>
  Promise.race([loadEnd.then(() => true), Bun.sleep(ms).then(() => false)]);

// One at least, however short the load.
await Bun.sleep(FIRST_AFTER_MS);
do await ask();
while (!(await rest(EVERY_MS)));
socket.end();
parentPort!.postMessage(tookMs satisfies StatTimes);
