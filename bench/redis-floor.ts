import { Elysia, t } from "elysia";
import { createBatcher } from "../src/actor/batcher.ts";
import { bidBodySchema, CountrySchema } from "../src/http/bid-request.ts";
import { openRedisWindows } from "../src/store/redis/open.ts";
import { answersWithin } from "../src/store/store.ts";

const TMAX_MS_MAX = 5_000;
const DEADLINE_MS = 5_000;

/**
 * What asking Redis costs at least: the route of reference.ts, which has each client admitted by the
 * service's own script in the service's own batches, and no more: no auction, no headers, no
 * request ids, nothing counted, no way on without Redis. Prints the port once it listens.
 */
const windows = openRedisWindows({
  url: process.env.REDIS_URL!,
  limit: { max: 3, windowMs: 60_000 },
  producer: `floor-${process.pid}`,
  admitDeadlineMs: DEADLINE_MS,
  onError: (_, error) => process.stderr.write(`${error.message}\n`),
});
const limiter = createBatcher<string, number>({
  name: "limiter",
  capacity: 1_024,
  batchMax: 128,
  paceMs: 1,
  async handle(clients) {
    const results = await windows.admit(clients.map((client) => ({ client, wanted: 1 })));
    return results.map(({ granted }) => granted);
  },
});
const ping = async () => void (await limiter.ask("ping"));
if (!(await answersWithin({ ping }, DEADLINE_MS))) throw new Error("Redis does not answer");

new Elysia()
  .post(
    "/bid",
    async ({ headers, status }) => {
      const granted = await limiter.ask(headers["x-forwarded-for"]);
      return granted === 1 ? { winner: "bidder1", price: 0.42 } : status(429);
    },
    {
      body: bidBodySchema(TMAX_MS_MAX),
      headers: t.Object({ "x-country": CountrySchema, "x-forwarded-for": t.String() }),
    },
  )
  .listen({ hostname: "127.0.0.1", port: Number(process.env.PORT), reusePort: true }, (server) => {
    process.stdout.write(`listening on ${server.port}\n`);
  });
