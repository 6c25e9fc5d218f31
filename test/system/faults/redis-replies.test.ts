import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mostAdmitted } from "../../support/admissions.ts";
import { type ChaosProxy, type Fault, startChaosProxy } from "../../support/chaos-proxy.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { shortOrLong } from "../../support/faults.ts";
import type { Bid } from "../../support/ledger.ts";
import {
  DISTINCT,
  expectExactEnd,
  readReadiness,
  untilCounted,
  untilStoreAgain,
} from "../../support/outage.ts";
import { startRedis } from "../../support/redis.ts";
import {
  type SteadyLoad,
  startSteadyLoad,
  untilAnswered,
  variedBid,
} from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const FAULT_MS = shortOrLong(1_500, 20_000);
/** So short that clients are admitted again during the fault. */
const WINDOW_SECONDS = 2;
/** All three by one worker with the store, then one by each of the others without it. */
const BOUND = 5;
const FEW_CLIENTS = 10;

/** Half of the bids are of some clients who are far over their limit. */
const bidOf = (n: number): Bid =>
  n % 2 === 0
    ? variedBid(n)
    : { supplyId: "supply1", country: "US", client: `192.0.2.${(n >> 1) % FEW_CLIENTS}` };

const FAULTS: Readonly<Record<string, Fault>> = {
  "30 % of the replies are cut": { kind: "cut", pieces: "replies", share: 0.3 },
  "30 % of the calls are cut": { kind: "cut", pieces: "requests", share: 0.3 },
  "every other connection is cut at its first reply": {
    kind: "cut",
    pieces: "replies",
    share: 0.5,
    each: "connection",
  },
  "everything takes 50 to 500 ms": { kind: "delay", leastMs: 50, mostMs: 500 },
  "nothing passes, and nobody is told": { kind: "blackhole" },
};

describe("between the service and Redis,", () => {
  test.each(Object.keys(FAULTS))(
    "%s: no bid fails, and each answered one counts once",
    async (name) => {
      await using redis = await startRedis();
      await using proxy = await startChaosProxy(redis.port);
      const env = {
        ...DISTINCT,
        REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
        RATE_LIMIT_WINDOW_SECONDS: String(WINDOW_SECONDS),
      };
      await using exchange = await startExchange({ env });
      const load = startSteadyLoad({ port: exchange.port, bidOf });
      await untilAnswered(load, 200);
      await withFault(proxy, FAULTS[name]!, exchange, load);
      await untilStoreAgain(exchange);
      await untilCounted(exchange);
      await untilAnswered(load, 200);
      const most = mostAdmitted(load.answered, WINDOW_SECONDS * 1000);
      const figures = { cuts: proxy.cuts(), "most admitted": most };
      await expectExactEnd(name, exchange, load, figures);
      expect(most).toBeLessThanOrEqual(BOUND);
    },
  );
});

async function withFault(
  proxy: ChaosProxy,
  fault: Fault,
  exchange: Exchange,
  load: SteadyLoad,
): Promise<void> {
  proxy.setFault(fault);
  const beganMs = performance.now();
  const isOver = async () => {
    expect((await readReadiness(exchange)).status).toBe(200);
    return performance.now() - beganMs > FAULT_MS;
  };
  await until("the end of the fault", isOver, 2 * FAULT_MS + 5_000);
  await untilAnswered(load, 100);
  proxy.setFault({ kind: "none" });
}
