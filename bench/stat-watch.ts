import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Figures } from "./measure.ts";
import type { Act } from "./scenario.ts";
import { spread } from "./summary.ts";

/** Milliseconds that each answer took; one of each at least. */
export interface AnswerTimes {
  readonly stat: readonly number[];
  /** Of an answer that does nothing, asked in the same way. */
  readonly livez: readonly number[];
}

/**
 * Asks for the statistics once a second during a load.
 * @throws Error when they are not given
 */
export async function askForStatistics(
  { target: { url } }: Act,
  signal: AbortSignal,
): Promise<Figures> {
  const asker = new Worker(new URL("./stat-asker.ts", import.meta.url), { workerData: { url } });
  const tellEnd = () => asker.postMessage("the load is over");
  if (signal.aborted) tellEnd();
  else signal.addEventListener("abort", tellEnd);
  const [times] = (await once(asker, "message")) as [AnswerTimes]; // Rejects on its error.
  await asker.terminate();
  const [stat, livez] = [spread(times.stat), spread(times.livez)];
  return {
    "/stat median ms": stat.median,
    "/stat slowest ms": stat.most,
    "/livez median ms": livez.median,
    "/livez slowest ms": livez.most,
  };
}

const WARM_EVERY_MS = 10;

/**
 * Asks every worker, on new connections, some hundred times: as often as a dashboard does within
 * minutes. Code that runs once a second is compiled only then.
 * @throws Error when the statistics are not given
 */
export async function warmStatistics({ target: { url } }: Act, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const answer = await fetch(`${url}/stat`, { keepalive: false });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`GET /stat: ${answer.status} ${body}`);
    await Bun.sleep(WARM_EVERY_MS);
  }
}
