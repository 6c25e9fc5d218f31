import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectCountedOnce } from "../../support/counting.ts";
import { startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { createFolder } from "../../support/folder.ts";
import { readStat } from "../../support/ledger.ts";
import { startRedis } from "../../support/redis.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { STORES, startStore } from "../../support/stores.ts";

setDefaultTimeout(120_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const STOP_MS_MAX = 10_000;
const RESTARTS = shortOrLong(2, 5);

describe.each(STORES)("SIGTERM under load, on the store %s,", (kind) => {
  test("fails no bid: connections that are kept open are told to close, and what runs is answered", async () => {
    await using store = await startStore(kind);
    using folder = createFolder();
    const slow = { BIDDER_LATENCY_MS: "5-60" };
    const env: Record<string, string | undefined> = { ...store.env, ...DISTINCT, ...slow };
    await using stack = new AsyncDisposableStack();
    const start = async () =>
      stack.use(await startExchange({ dataDir: folder.dir, env: { ...env } }));
    let exchange = await start();
    env.PORT = String(exchange.port);
    let stopMs = 0;
    const answered = [];
    for (let restart = 1; restart <= RESTARTS; restart++) {
      const load = startSteadyLoad({ port: exchange.port, connections: 32 });
      await untilAnswered(load, 200);
      const beganMs = performance.now();
      exchange.kill("SIGTERM");
      expect(await exchange.exited).toEqual({ code: 0, signal: null });
      stopMs = Math.max(stopMs, performance.now() - beganMs);
      await load.stop();
      // The kernel hands a connection over with its first bytes, so one that had sent nothing when
      // the port closed is reset at its first bid: that was not held, and another try is safe.
      expect(load.breaks.filter(({ worker }) => worker !== undefined)).toEqual([]);
      answered.push(load);
      await exchange.leavesNobody();
      exchange = await start();
    }
    expect(stopMs).toBeLessThan(STOP_MS_MAX);
    const all = {
      answered: answered.flatMap((load) => load.answered),
      unknown: answered.flatMap((load) => load.unknown),
    };
    const figures = expectCountedOnce(await readStat(exchange.url), all);
    const longestStopMs = Math.round(stopMs);
    printFigures(`SIGTERM, ${kind}`, { stops: RESTARTS, "longest ms": longestStopMs, ...figures });
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
  });
});

describe("SIGTERM while Redis", () => {
  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "was ended by %s ends with 0 within ten seconds, and all is counted when it is back",
    async (signal) => {
      const redis = await startRedis("--appendonly", "yes", "--appendfsync", "always");
      await using _ = { [Symbol.asyncDispose]: redis.stop };
      using folder = createFolder();
      const env = { REDIS_URL: redis.url, ...DISTINCT };
      await using exchange = await startExchange({ dataDir: folder.dir, env });
      const load = startSteadyLoad({ port: exchange.port });
      await untilAnswered(load, 200);
      if (signal === "SIGKILL") await redis.kill();
      else process.kill(redis.pid, signal);
      await untilAnswered(load, 300);
      const beganMs = performance.now();
      exchange.kill("SIGTERM");
      exchange.kill("SIGTERM"); // A second one changes nothing.
      expect(await exchange.exited).toEqual({ code: 0, signal: null });
      const stopMs = performance.now() - beganMs;
      await load.stop();
      expect(stopMs).toBeLessThan(STOP_MS_MAX);
      await exchange.leavesNobody();

      if (signal === "SIGKILL") await redis.start();
      else process.kill(redis.pid, "SIGCONT");
      await using next = await startExchange({ dataDir: folder.dir, env });
      const figures = expectCountedOnce(await readStat(next.url), load);
      printFigures(`SIGTERM, Redis ${signal}`, { "stop ms": Math.round(stopMs), ...figures });
      expect(await next.stop()).toEqual({ code: 0, signal: null });
      await next.leavesNobody();
    },
  );
});
