import { workerOf } from "./ledger.ts";
import { askOnce, type RawAnswer, type RawRequest } from "./raw-http.ts";
import { until } from "./until.ts";

/**
 * Asks the same on fresh connections, which the kernel spreads, until so many workers have answered.
 * @returns the last answer of each worker
 */
export async function askEveryWorker(
  port: number,
  request: RawRequest | string = { method: "GET", path: "/livez" },
  workers = 3,
): Promise<Map<string, RawAnswer>> {
  const answers = new Map<string, RawAnswer>();
  await until(`an answer of ${workers} workers`, async () => {
    for (let i = 0; i < 16 && answers.size < workers; i++) {
      const answer = await askOnce(port, request);
      answers.set(workerOf(answer), answer);
    }
    return answers.size === workers;
  });
  return answers;
}
