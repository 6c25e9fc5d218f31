import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Exchange, startExchange } from "../support/exchange.ts";
import { createFolder } from "../support/folder.ts";
import {
  clientAddress,
  formatBid,
  holdAuctions,
  type LedgerEntry,
  readAnswer,
  readStat,
  totalsOf,
  totalsOfStat,
  workerOf,
} from "../support/ledger.ts";
import { formatRequest, openConnection, type RawConnection } from "../support/raw-http.ts";
import { until } from "../support/until.ts";
import { askEveryWorker } from "../support/workers.ts";

setDefaultTimeout(60_000);

const STOP_MS_MAX = 10_000;
const ORPHAN_MS_MAX = 6_000;
/** Clients are told apart by X-Forwarded-For. */
const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const SLOW = { BIDDER_LATENCY_MS: "300-300", TMAX_DEFAULT: "2000", NO_BID_PROBABILITY: "0" };
const bidOf = (n: number) => ({ supplyId: "supply1", country: "US", client: clientAddress(n) });

/** Bids on connections that are open before the first is sent, answered by all workers. */
async function sendBids({ port }: Exchange, count: number): Promise<Promise<LedgerEntry>[]> {
  const opening = Array.from({ length: count }, () => openConnection(port));
  const connections = await Promise.all(opening);
  return connections.map(async (connection, n) =>
    readAnswer(bidOf(n), await connection.ask(formatBid(bidOf(n)))),
  );
}

async function expectCounted(dataDir: string, entries: readonly LedgerEntry[]): Promise<void> {
  await using exchange = await startExchange({ dataDir });
  expect(totalsOfStat(await readStat(exchange.url))).toEqual(totalsOf(entries));
  await exchange.stop();
}

describe("a stop", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "by %s answers the auctions in flight, keeps the statistics and ends with 0",
    async (signal) => {
      using folder = createFolder();
      await using exchange = await startExchange({
        dataDir: folder.dir,
        env: { ...DISTINCT, ...SLOW },
      });
      const answers = await sendBids(exchange, 60);
      const beganMs = performance.now();
      exchange.kill(signal);
      const entries = await Promise.all(answers);
      expect(new Set(entries.map((entry) => entry.status))).toEqual(new Set([200]));
      expect(await exchange.exited).toEqual({ code: 0, signal: null });
      expect(performance.now() - beganMs).toBeLessThan(STOP_MS_MAX);
      await exchange.leavesNobody();
      await expectCounted(folder.dir, entries);
    },
  );

  test("under load fails no request: connections are told to close first", async () => {
    using folder = createFolder();
    await using exchange = await startExchange({ dataDir: folder.dir, env: DISTINCT });
    let answered = 0;
    const entries = await holdAuctions({
      port: exchange.port,
      count: Number.POSITIVE_INFINITY,
      connections: 32,
      bidOf,
      onAnswer: () => {
        if (++answered === 500) exchange.kill("SIGTERM");
        return false;
      },
    });
    expect(new Set(entries.map((entry) => entry.status))).toEqual(new Set([200, 400]));
    expect(await exchange.exited).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
    await expectCounted(folder.dir, entries);
  });

  test("says that it is not ready meanwhile, on connections that it has", async () => {
    await using exchange = await startExchange();
    const ask = (connection: RawConnection) =>
      connection.ask(formatRequest({ method: "GET", path: "/readyz" }));
    // Of four connections two have the same worker: one sees the stop begin, one asks afterwards.
    const connections = await Promise.all([1, 2, 3, 4].map(() => openConnection(exchange.port)));
    const byWorker = new Map<string, RawConnection>();
    let pair: RawConnection[] = [];
    for (const connection of connections) {
      const answer = await ask(connection);
      expect(answer.status).toBe(200);
      const other = byWorker.get(workerOf(answer));
      if (other) pair = [connection, other];
      byWorker.set(workerOf(answer), connection);
    }
    exchange.kill("SIGTERM");
    while ((await ask(pair[0]!)).headers.get("connection") !== "close");
    const { status, headers, body } = await ask(pair[1]!);
    expect(status).toBe(503);
    expect(headers.get("connection")).toBe("close");
    expect(JSON.parse(body)).toMatchObject({
      status: "unavailable",
      checks: { accepting: { status: "failed" } },
    });
    await exchange.exited;
  });

  test("by a second SIGINT comes at once", async () => {
    const latency = { BIDDER_LATENCY_MS: "5000-5000", TMAX_DEFAULT: "5000" };
    await using exchange = await startExchange({ env: { ...DISTINCT, ...latency } });
    const answers = await sendBids(exchange, 6);
    const outcome = Promise.allSettled(answers);
    exchange.kill("SIGINT");
    await until("the stop begins", () => exchange.printed('"stopping"') > 0);
    const secondMs = performance.now();
    exchange.kill("SIGINT");
    expect(await exchange.exited).toEqual({ code: 130, signal: null });
    expect(performance.now() - secondMs).toBeLessThan(3_000);
    await exchange.leavesNobody();
    await outcome;
  });

  test("by SIGKILL of the supervisor leaves no orphan, and what was answered is counted", async () => {
    using folder = createFolder();
    await using exchange = await startExchange({ dataDir: folder.dir, env: DISTINCT });
    const load = { port: exchange.port, count: 200, connections: 16, bidOf };
    const entries = await holdAuctions(load);
    exchange.kill("SIGKILL");
    await exchange.leavesNobody(ORPHAN_MS_MAX);
    await expectCounted(folder.dir, entries);
  });
});

describe("a worker", () => {
  async function expectReplaced(exchange: Exchange, lost: number): Promise<void> {
    await until("the worker is replaced", () => exchange.printed('"worker replaced"') === 1);
    expect(exchange.workerPids()).toHaveLength(3);
    expect(exchange.workerPids()).not.toContain(lost);
    await askEveryWorker(exchange.port);
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  }

  test("that is killed is replaced, and what it answered is counted", async () => {
    await using exchange = await startExchange({ env: DISTINCT });
    const load = { port: exchange.port, count: 200, connections: 16, bidOf };
    const entries = await holdAuctions(load);
    const [victim] = exchange.workerPids();
    process.kill(victim!, "SIGKILL");
    await until("the kill is noticed", () => exchange.printed('"worker ended"') === 1);
    expect(totalsOfStat(await readStat(exchange.url))).toEqual(totalsOf(entries));
    await expectReplaced(exchange, victim!);
  });

  test("that hangs is killed and replaced", async () => {
    await using exchange = await startExchange();
    const [victim] = exchange.workerPids();
    process.kill(victim!, "SIGSTOP");
    await until("the hang is noticed", () => exchange.printed('"worker hangs: killed"') === 1);
    await expectReplaced(exchange, victim!);
  });

  test("that dies at once again and again ends the service with 1", async () => {
    await using exchange = await startExchange();
    let hasExited = false;
    exchange.exited.then(() => (hasExited = true));
    await until("the service gives up", () => {
      for (const pid of exchange.workerPids()) process.kill(pid, "SIGKILL");
      return hasExited;
    });
    expect(await exchange.exited).toEqual({ code: 1, signal: null });
    expect(exchange.stdout()).toContain("five workers crashed within a minute");
    await exchange.leavesNobody();
  });
});

describe("as process 1", () => {
  const UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const isPermitted = Bun.which("unshare") !== null && Bun.spawnSync([...UNSHARE, "true"]).success;

  // Skipped where the kernel grants no namespace of process ids (no root).
  test.skipIf(!isPermitted)("the supervisor stops, and replaces a worker", async () => {
    await using exchange = await startExchange({ wrapper: UNSHARE });
    const [victim] = exchange.workerPids();
    process.kill(victim!, "SIGKILL");
    await until("the worker is replaced", () => exchange.printed('"worker replaced"') === 1);
    exchange.kill("SIGTERM");
    expect(await exchange.exited).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });
});
