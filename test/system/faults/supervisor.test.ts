import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { auctionsOf, expectCountedOnce, heldOf } from "../../support/counting.ts";
import { startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { createFolder } from "../../support/folder.ts";
import { readStat } from "../../support/ledger.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { STORES, startStore } from "../../support/stores.ts";

setDefaultTimeout(120_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const KILLS = shortOrLong(1, 5);

describe.each(STORES)("a supervisor killed under load, on the store %s,", (kind) => {
  test("and started again at once on the same folder and port loses no count", async () => {
    await using store = await startStore(kind);
    using folder = createFolder();
    const env: Record<string, string | undefined> = { ...store.env, ...DISTINCT };
    await using stack = new AsyncDisposableStack();
    const start = async () =>
      stack.use(await startExchange({ dataDir: folder.dir, env: { ...env } }));
    let exchange = await start();
    env.PORT = String(exchange.port);
    const load = startSteadyLoad({ port: exchange.port });
    for (let kill = 1; kill <= KILLS; kill++) {
      await untilAnswered(load, 200);
      const killed = exchange;
      killed.kill("SIGKILL");
      await killed.exited;
      exchange = await start();
      await killed.leavesNobody();
    }
    await untilAnswered(load, 200);
    await load.stop();
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    printFigures(`supervisor SIGKILL, ${kind}`, { kills: KILLS, ...figures });
    expect(exchange.workerPids()).toHaveLength(3);
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });

  test("leaves auctions to workers that outlive it: their answers are in the next one's statistics", async () => {
    await using store = await startStore(kind);
    using folder = createFolder();
    const slow = { BIDDER_LATENCY_MS: "1500-3000", TMAX_DEFAULT: "4000" };
    const env = { ...store.env, ...DISTINCT, ...slow };
    await using first = await startExchange({ dataDir: folder.dir, env });
    const load = startSteadyLoad({ port: first.port, connections: 60, rate: 2_000 });
    await untilAnswered(load, 1);
    first.kill("SIGKILL");
    const answeredBefore = load.answered.length;
    const stopped = load.stop();
    const next = { ...store.env, ...DISTINCT, PORT: String(first.port) };
    await using exchange = await startExchange({ dataDir: folder.dir, env: next });
    let isOver = false;
    stopped.then(() => (isOver = true));
    do {
      const held = heldOf(load.answered);
      const counted = auctionsOf(await readStat(exchange.url));
      expect(counted).toBeGreaterThanOrEqual(held);
    } while (!isOver);
    const late = load.answered.length - answeredBefore;
    expect(late).toBeGreaterThan(0);
    await first.leavesNobody(10_000);
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    printFigures(`orphans that finish, ${kind}`, { "answered after the kill": late, ...figures });
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
  });
});
