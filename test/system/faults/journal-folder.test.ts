import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApp } from "../../../src/app.ts";
import { buildCatalog } from "../../../src/catalog/catalog.ts";
import { loadCatalogFile } from "../../../src/catalog/file-source.ts";
import { loadConfig } from "../../../src/config.ts";
import { createLogger } from "../../../src/log.ts";
import { CATALOG_FAULT, DRAIN_ALL, LOST } from "../../../src/processes/messages.ts";
import { openCounterFile } from "../../../src/store/embedded/counters.ts";
import { answerStoreCall } from "../../../src/store/embedded/remote.ts";
import { createEmbeddedStore } from "../../../src/store/embedded/store.ts";
import { createWindowsFile } from "../../../src/store/embedded/windows-file.ts";
import { auctionsOf, expectCountedOnce, heldOf } from "../../support/counting.ts";
import { runExchange, startExchange } from "../../support/exchange.ts";
import { printFigures } from "../../support/faults.ts";
import { createFolder } from "../../support/folder.ts";
import { clientAddress, holdAuctions, type LedgerEntry, readStat } from "../../support/ledger.ts";
import { startSteadyLoad, untilAnswered, variedBid } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };

/** One line on the standard error, status 1, and no service that was open in between. */
function expectOneLine(
  { code, stdout, stderr }: Awaited<ReturnType<typeof runExchange>>,
  line: RegExp,
): void {
  expect(stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(line)]);
  expect(code).toBe(1);
  expect(stdout).not.toContain(" is open on ");
}

describe("a folder that cannot hold journals ends the start with one line and 1:", () => {
  const start = (dataDir: string) =>
    runExchange(["serve"], { env: { PORT: "0", HOST: "127.0.0.1", DATA_DIR: dataDir } });

  test("a DATA_DIR that cannot be made", async () => {
    expectOneLine(await start("/proc/exchange"), /^exchange: ENOENT.*'\/proc\/exchange/);
    using folder = createFolder();
    const file = join(folder.dir, "file");
    writeFileSync(file, "");
    expectOneLine(await start(file), /^exchange: .*file/);
  });

  // A folder in which nobody can create a file, not even root.
  test("journals that cannot be written", async () => {
    using folder = createFolder();
    symlinkSync("/proc/self/fdinfo", join(folder.dir, "journals"));
    expectOneLine(await start(folder.dir), /^exchange: .*journals\/.*\.journal/);
  });

  const inNamespace = (script: string) =>
    Bun.which("unshare") ? ["unshare", "--mount", "sh", "-c", script] : [];
  const isMountPermitted = (dir: string) => {
    const command = inNamespace('mount -t tmpfs tmpfs "$0"');
    return command.length > 0 && Bun.spawnSync([...command, dir]).success;
  };

  // A disk of 20 MB holds two journals of three, where the kernel lets us mount one; else, and as
  // well, a limit on the size of files: the write fails at the same place.
  test("a disk that is too small", async () => {
    using folder = createFolder();
    const limited = ["prlimit", "--fsize=8000000"];
    expectOneLine(await startIn(folder.dir, limited), /cannot allocate .*EFBIG/);
    using disk = createFolder();
    if (!isMountPermitted(disk.dir)) return;
    const small = inNamespace('mount -t tmpfs -o size=20m tmpfs "$DATA_DIR" && exec "$0" "$@"');
    expectOneLine(await startIn(disk.dir, small), /cannot allocate .*ENOSPC/);
  });

  test("a disk that is read-only", async () => {
    using disk = createFolder();
    mkdirSync(join(disk.dir, "journals"));
    if (!isMountPermitted(disk.dir)) return;
    const mount = 'mount -t tmpfs -o ro tmpfs "$DATA_DIR" && exec "$0" "$@"';
    expectOneLine(await startIn(disk.dir, inNamespace(mount)), /^exchange: .*EROFS/);
  });

  /** Runs the service behind another program until it ends. */
  async function startIn(dataDir: string, wrapper: readonly string[]) {
    const env = { PORT: "0", HOST: "127.0.0.1", DATA_DIR: dataDir };
    return runExchange(["serve"], { env, wrapper });
  }
});

describe("a disk that fills up while the service runs", () => {
  /** Every write to a file fails from here on, or works again; what is mapped is not affected. */
  function limitFiles(pids: readonly number[], size: number | "unlimited"): void {
    for (const pid of pids) {
      const limit = `--fsize=${size}:unlimited`;
      expect(Bun.spawnSync(["prlimit", "--pid", String(pid), limit]).success).toBe(true);
    }
  }

  test("loses nothing: bids go on, GET /stat has them, and all is counted when there is room", async () => {
    await using exchange = await startExchange({ env: DISTINCT });
    const workers = exchange.workerPids();
    limitFiles([exchange.pid, ...workers], 0);
    // The first bids ever: no journal has a record of their supplies.
    const load = startSteadyLoad({ port: exchange.port });
    await untilAnswered(load, 500);
    const held = heldOf(load.answered);
    expect(auctionsOf(await readStat(exchange.url))).toBeGreaterThanOrEqual(held);
    await untilAnswered(load, 100);
    await load.stop();
    limitFiles([exchange.pid, ...workers], "unlimited");
    await until("GET /stat answers", async () => (await fetch(`${exchange.url}/stat`)).ok);
    const figures = expectCountedOnce(await readStat(exchange.url), load);
    expect(figures.answered).toBe(load.answered.length);
    expect(exchange.workerPids()).toEqual(workers);
    printFigures("disk full at run time", { ...figures });
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
    await exchange.leavesNobody();
  });

  test("refuses bids for a supply that came with a new catalog, as overloaded, until there is room", async () => {
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    const catalog = await loadCatalogFile("data/catalog.json");
    writeFileSync(path, JSON.stringify(catalog));
    const env = { ...DISTINCT, CATALOG: path, WORKERS: "2" };
    await using exchange = await startExchange({ dataDir: folder.dir, env });
    const journals = join(folder.dir, "journals");
    const names = readdirSync(journals).filter((name) => name.endsWith(".names"));
    // The next line fits in part. The supervisor has room for the snapshot of the catalog.
    limitFiles(exchange.workerPids(), statSync(join(journals, names[0]!)).size + 10);
    const supplies = { ...catalog.supplies, fresh: ["bidder1"] };
    writeFileSync(path, JSON.stringify({ ...catalog, supplies }));
    await until("the catalog is reloaded", () => exchange.printed('"catalog reloaded"') === 1);
    let clients = 0;
    const bid = (supplyId: string) => {
      const bidOf = () => ({ supplyId, country: "US", client: clientAddress(++clients) });
      return holdAuctions({ port: exchange.port, count: 60, connections: 20, bidOf });
    };
    await until("every worker refuses", async () => {
      const codes = new Set((await bid("fresh")).map(({ code }) => code));
      return codes.size === 1 && codes.has("overloaded");
    });
    expect((await bid("supply1")).some(({ status }) => status === 503)).toBe(false);
    limitFiles(exchange.workerPids(), "unlimited");
    const answered = await bid("fresh");
    expect(answered.some(({ status }) => status === 503)).toBe(false);
    exchange.kill("SIGKILL");
    await exchange.leavesNobody();
    await using next = await startExchange({ dataDir: folder.dir, env });
    const { fresh } = await readStat(next.url, "?supply=fresh");
    expect(fresh!.total_reqs).toBe(60);
  });
});

describe("a journal that is nearly full", () => {
  /** Room for what is reserved, and for some 7,800 auctions of six words. */
  const RING_WORDS = 2 ** 18;
  const folder = createFolder();
  const config = loadConfig({ ...DISTINCT, HOST: "127.0.0.1" });
  const counters = openCounterFile(folder.path("counters.sqlite"));
  const store = createEmbeddedStore(counters);
  let isAway = false;
  let port: number;
  let app: ReturnType<typeof createApp>;

  beforeAll(async () => {
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    port = probe.port;
    probe.stop(true);
    const windowsPath = folder.path("windows");
    createWindowsFile(windowsPath);
    app = createApp({
      order: {
        config,
        port,
        slot: 1,
        producer: "test-1-1",
        isStoreReady: true,
        journalPath: folder.path("test-1-1.journal"),
        catalogPath: folder.path("catalog.snapshot"),
        windowsPath,
      },
      catalog: buildCatalog(await loadCatalogFile(config.CATALOG), 1),
      async call(name, argument) {
        if (name === CATALOG_FAULT) return null;
        if (name === LOST) return "0";
        if (name === DRAIN_ALL) return app.drain(argument === true);
        if (isAway && name === "store.apply") throw new Error("the store is away");
        return answerStoreCall(store, name, argument);
      },
      clock: { now: () => performance.now(), doubtMs: 0 },
      logger: createLogger({ level: "silent", name: "test", isTerminal: false }),
      ringWords: RING_WORDS,
    });
    await app.prepare();
    app.listen();
  });
  afterAll(async () => {
    await app.stop();
    store.close();
    folder[Symbol.dispose]();
  });

  test("refuses as overloaded, without quota, instead of losing a count, and opens again", async () => {
    const url = `http://127.0.0.1:${port}`;
    isAway = true;
    const isRefused = ({ status }: LedgerEntry) => status === 503;
    const load = { port, count: 50_000, connections: 32, bidOf: variedBid };
    const answered = await holdAuctions({ ...load, onAnswer: isRefused });
    const held = heldOf(answered);
    expect(answered.filter(isRefused).length).toBeGreaterThan(0);
    const spared = clientAddress(2 ** 24 - 1);
    const bidOf = () => ({ supplyId: "supply1", country: "US", client: spared });
    const refused = await holdAuctions({ port, count: 50, connections: 5, bidOf });
    expect(new Set(refused.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(["503 overloaded"]),
    );
    expect(auctionsOf(await readStat(url))).toBe(held); // They are in the journal.
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ checks: { statistics: { status: "failed" } } });

    isAway = false;
    const backMs = performance.now();
    await until("GET /stat answers", async () => (await fetch(`${url}/stat`)).ok);
    const figures = expectCountedOnce(await readStat(url), { answered, unknown: [] });
    // What was counted is kept for a while, for a store that comes back older.
    const openAgain = async () => (await fetch(`${url}/readyz`)).ok;
    await until("auctions are held again", openAgain, 30_000);
    const openAfterMs = Math.round(performance.now() - backMs);
    const again = await holdAuctions({ port, count: 4, connections: 1, bidOf });
    expect(again.map(({ status }) => status === 429)).toEqual([false, false, false, true]);
    printFigures("journal full", { held, ...figures, "open again after ms": openAfterMs });
    expect(readdirSync(folder.dir)).toContain("test-1-1.journal");
  });
});
