import { createBatcher } from "../src/actor/batcher.ts";
import { BATCH_MAX, PACE_MS, type Verdict } from "../src/limiter/limiter.ts";
import { openRedisWindows } from "../src/store/redis/open.ts";
import { answersWithin } from "../src/store/store.ts";
import { answers, LIMIT, listen } from "./floor.ts";

const DEADLINE_MS = 5_000;

/**
 * The floor of a 200 for which Redis was asked: each client is admitted by the service's own script
 * in the service's own batches, and told so. Nothing counted, no way on without Redis.
 */
const windows = openRedisWindows({
  url: process.env.REDIS_URL!,
  limit: LIMIT,
  producer: `floor-${process.pid}`,
  admitDeadlineMs: DEADLINE_MS,
  onError: (_, error) => process.stderr.write(`${error.message}\n`),
});
const limiter = createBatcher<string, Verdict>({
  name: "limiter",
  capacity: 1_024,
  batchMax: BATCH_MAX,
  paceMs: PACE_MS,
  async handle(clients) {
    const results = await windows.admit(clients.map((client) => ({ client, wanted: 1 })));
    return results.map(({ granted, remaining, resetMs }) => ({
      isAdmitted: granted === 1,
      remaining,
      resetMs,
    }));
  },
});
const ping = async () => void (await windows.admit([{ client: "ping", wanted: 1 }]));
if (!(await answersWithin({ ping }, DEADLINE_MS))) throw new Error("Redis does not answer");

listen(
  (requestId, client) =>
    new Promise((resolve, onFault) =>
      limiter.ask(client, {
        onReply(verdict) {
          if (!verdict.isAdmitted) return resolve(answers.rateLimited(requestId, verdict));
          resolve(answers.won({ requestId, verdict }, "bidder1", 420_000));
        },
        onFault,
      }),
    ),
);
