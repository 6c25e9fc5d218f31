import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { expectCountedOnce } from "../../support/counting.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { createFolder } from "../../support/folder.ts";
import { readStat } from "../../support/ledger.ts";
import { childrenOf } from "../../support/processes.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { STORES, startStore } from "../../support/stores.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const KILLS = shortOrLong(3, 8);
const KILL_EVERY_MS = 2_000;
/** Silent for 2 s, looked at each 250 ms, and the machine may be slow. */
const HANG_MS_MAX = 4_000;

/** The command line of a process; nothing when it has ended. */
function commandOf(pid: number): string {
  try {
    return `${readFileSync(`/proc/${pid}/cmdline`, "utf8")}\0`.replaceAll("\0", " ");
  } catch {
    return "";
  }
}

const randomOf = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)]!;

const untilReplaced = (exchange: Exchange, times: number) =>
  until(`${times} workers replaced`, () => exchange.printed('"worker replaced"') === times);

async function expectNobodyLeft(exchange: Exchange): Promise<void> {
  expect(await exchange.stop()).toEqual({ code: 0, signal: null });
  await exchange.leavesNobody();
}

describe.each(STORES)("under load, on the store %s,", (kind) => {
  test("a worker killed every 2 s breaks only its own connections and loses no count", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    const load = startSteadyLoad({ port: exchange.port });
    for (let kill = 1; kill <= KILLS; kill++) {
      const nextMs = performance.now() + KILL_EVERY_MS;
      await untilAnswered(load, 100);
      process.kill(randomOf(exchange.workerPids()), "SIGKILL");
      await untilReplaced(exchange, kill);
      await until("two seconds since the last kill", () => performance.now() >= nextMs);
    }
    await untilAnswered(load, 100);
    await load.stop();
    expect(load.breaksOfTheLiving()).toEqual([]);
    expect(exchange.workerPids()).toHaveLength(3);
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    printFigures(`worker SIGKILL, ${kind}`, { kills: KILLS, ...figures });
    await expectNobodyLeft(exchange);
  });

  test("a worker that stands still is replaced, and nothing is counted twice", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, ...DISTINCT } });
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 200);
    const stoppedMs = performance.now();
    process.kill(randomOf(exchange.workerPids()), "SIGSTOP");
    await until("the hang is noticed", () => exchange.printed('"worker hangs: killed"') === 1);
    const noticedAfterMs = Math.round(performance.now() - stoppedMs);
    expect(noticedAfterMs).toBeLessThan(HANG_MS_MAX);
    await untilReplaced(exchange, 1);
    await untilAnswered(load, 200);
    await load.stop();
    expect(load.breaksOfTheLiving()).toEqual([]);
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    printFigures(`worker SIGSTOP, ${kind}`, { "killed after ms": noticedAfterMs, ...figures });
    await expectNobodyLeft(exchange);
  });
});

describe("a worker that crashes again and again", () => {
  test.each([
    ["each worker", 0],
    ["one of three", 2],
  ])(
    "before it serves, %s, ends the start with 1; the service never calls itself open",
    async (_, spared) => {
      let isOver = false;
      const outcome = startExchange().then(
        async (exchange) => {
          await exchange[Symbol.asyncDispose]();
          return "open";
        },
        (error: Error) => error.message,
      );
      outcome.finally(() => (isOver = true));
      await until("the service gives up", () => {
        for (const supervisor of childrenOf(process.pid)) {
          const workers = childrenOf(supervisor.pid).filter(({ pid }) =>
            commandOf(pid).includes(" worker "),
          );
          const oldestFirst = workers.toSorted((a, b) => Number(a.startedAt) - Number(b.startedAt));
          for (const { pid } of oldestFirst.slice(spared)) process.kill(pid, "SIGKILL");
        }
        return isOver;
      });
      expect(await outcome).toStartWith("the exchange did not start");
      expect(await outcome).toContain("exchange: five workers crashed within a minute");
      expect(await outcome).not.toContain(" is open on ");
    },
  );

  test("ends the service with 1 at its fifth crash, and what was answered is kept", async () => {
    using folder = createFolder();
    await using exchange = await startExchange({ dataDir: folder.dir, env: DISTINCT });
    const load = startSteadyLoad({ port: exchange.port });
    let hasExited = false;
    exchange.exited.then(() => (hasExited = true));
    for (let crash = 1; crash <= 5; crash++) {
      await untilAnswered(load, 50);
      process.kill(randomOf(exchange.workerPids()), "SIGABRT");
      if (crash < 5) await untilReplaced(exchange, crash);
    }
    await until("the service gives up", () => hasExited);
    await load.stop();
    expect(await exchange.exited).toEqual({ code: 1, signal: null });
    expect(exchange.printed("five workers crashed within a minute")).toBe(1);
    await exchange.leavesNobody();

    await using next = await startExchange({ dataDir: folder.dir, env: DISTINCT });
    const figures = expectCountedOnce(await readStat(next.url), load);
    printFigures("five crashes", { refused: load.refused(), ...figures });
    await expectNobodyLeft(next);
  });
});
