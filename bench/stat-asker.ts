import { parentPort, workerData } from "node:worker_threads";
import type { AnswerTimes } from "./stat-watch.ts";

/*
 * A thread that asks for the statistics once a second, as a dashboard would, until it is told that
 * the load is over. In between it asks for /livez, which does nothing: what asking takes at least.
 * On the generator's own thread an answer would wait for its turn among the bids; `fetch` has a
 * thread of its own, which would wait for a core twice.
 */
const FIRST_AFTER_MS = 100;
const BETWEEN_MS = 500;
const ANSWER_MS_MAX = 10_000;

const { url } = workerData as { url: string };
const times = { stat: [] as number[], livez: [] as number[] };
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
    close: () => answered?.reject(new Error(`closed after "${received}"`)),
  },
});

function isWhole(answer: string): boolean {
  const bodyAt = answer.indexOf("\r\n\r\n") + 4;
  const length = /^content-length: (\d+)/im.exec(answer.slice(0, bodyAt))?.[1];
  return bodyAt >= 4 && answer.length >= bodyAt + Number(length);
}

async function ask(what: keyof typeof times): Promise<void> {
  received = "";
  answered = Promise.withResolvers();
  const late = setTimeout(() => answered!.reject(new Error("no answer")), ANSWER_MS_MAX);
  const askedMs = performance.now();
  socket.write(`GET /${what} HTTP/1.1\r\nHost: exchange\r\n\r\n`);
  const answer = await answered.promise;
  times[what].push(performance.now() - askedMs);
  clearTimeout(late);
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`GET /${what}: ${answer}`);
}

/** @returns whether the load is over */
const rest = (ms: number) =>
  Promise.race([loadEnd.then(() => true), Bun.sleep(ms).then(() => false)]);

// Each once at least, however short the load.
await Bun.sleep(FIRST_AFTER_MS);
do {
  await ask("stat");
  await rest(BETWEEN_MS);
  await ask("livez");
} while (!(await rest(BETWEEN_MS)));
socket.end();
parentPort!.postMessage(times satisfies AnswerTimes);
