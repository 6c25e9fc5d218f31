import type { Figures } from "./measure.ts";
import type { Act } from "./stage.ts";

const FIRST_AFTER_MS = 100;
const EVERY_MS = 1_000;
const ANSWER_MS_MAX = 10_000;

/**
 * Asks for the statistics once a second, as a dashboard would.
 * @throws Error when they are not given
 */
export async function askForStatistics(
  { target: { url } }: Act,
  signal: AbortSignal,
): Promise<Figures> {
  const tookMs: number[] = [];
  for (let waitMs = FIRST_AFTER_MS; ; waitMs = EVERY_MS) {
    await Bun.sleep(waitMs);
    // One at least, however short the load.
    if (signal.aborted && tookMs.length > 0) break;
    const askedMs = performance.now();
    const answer = await fetch(`${url}/stat`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`GET /stat: ${answer.status} ${body}`);
    tookMs.push(performance.now() - askedMs);
  }
  tookMs.sort((a, b) => a - b);
  return { "/stat median ms": tookMs[tookMs.length >> 1]!, "/stat slowest ms": tookMs.at(-1)! };
}
