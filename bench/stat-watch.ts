import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Figures } from "./measure.ts";
import type { Act } from "./stage.ts";

/** Milliseconds that each answer took; at least one. */
export type StatTimes = readonly number[];

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
  const [tookMs] = (await once(asker, "message")) as [StatTimes]; // Rejects on its error.
  await asker.terminate();
  const sorted = tookMs.toSorted((a, b) => a - b);
  return { "/stat median ms": sorted[sorted.length >> 1]!, "/stat slowest ms": sorted.at(-1)! };
}
