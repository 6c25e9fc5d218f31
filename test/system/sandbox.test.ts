import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { loadCatalogFile } from "../../src/catalog/file-source.ts";
import { loadSandboxFile } from "../../src/sandbox/document.ts";
import type { Counters } from "../../src/sandbox/stub-bidder.ts";
import { createFolder } from "../support/folder.ts";
import { formatBid } from "../support/ledger.ts";
import { childrenOf } from "../support/processes.ts";
import { askOnce, openConnection } from "../support/raw-http.ts";
import { type Sandbox, startSandbox } from "../support/sandbox.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const INVITATION = "Ctrl-C ends the exchange and the bidders.";
const DIRECTIONS = "Ctrl-C ends the bidders;";
const WITH_EXCHANGE = ["--with-exchange", "--port", "0"];

const catalogPathIn = (text: string) => /[^\s=]*catalog\.json/.exec(text)![0];
const portOf = (sandbox: Sandbox) => Number(/open on http:\S+:(\d+) /.exec(sandbox.stdout())![1]);

async function countersOf(sandbox: Sandbox, id: string): Promise<Counters> {
  const [, url] = new RegExp(`^ {2}${id} .*(http://127.0.0.1:\\d+) `, "m").exec(sandbox.stdout())!;
  return (await fetch(`${url}/counters`)).json() as Promise<Counters>;
}

describe("without an exchange", () => {
  test("every bidder has a line, and an endpoint in a catalog that the exchange takes", async () => {
    await using sandbox = startSandbox([]);
    await sandbox.hasPrinted(DIRECTIONS);
    const { profiles, catalog } = await loadSandboxFile("data/sandbox.json");
    const [, command] = /^ {2}(CATALOG=.*)$/m.exec(sandbox.stdout())!;
    expect(command).toEndWith(" ALLOW_PRIVATE_BIDDERS=true EXPLAIN=true bun start");
    const written = await loadCatalogFile(catalogPathIn(command!), { allowPrivate: true });
    expect(written.supplies).toEqual(catalog.supplies);
    const pids = new Set<string>();
    for (const id of Object.keys(profiles)) {
      const line = new RegExp(`^ {2}${id} +(\\d+) +(http://127.0.0.1:\\d+) `, "m");
      const [, pid, url] = line.exec(sandbox.stdout())!;
      pids.add(pid!);
      expect(written.bidders[id]).toEqual({ ...catalog.bidders[id], endpoint: `${url}/bid` });
      expect((await fetch(`${url}/counters`)).status).toBe(200);
    }
    expect(pids.size).toBe(Object.keys(profiles).length);
    expect(written.bidders.simulated).toEqual(catalog.bidders.simulated!);
    expect(sandbox.descendants()).toHaveLength(pids.size);
  });

  test("may be told the profiles, the seed and the number of processes", async () => {
    using folder = createFolder();
    const catalog = {
      supplies: { s1: ["b1", "b2", "b3"] },
      bidders: { b1: { country: "US" }, b2: { country: "US" }, b3: { country: "US" } },
    };
    const path = folder.path("profiles.json");
    writeFileSync(path, JSON.stringify({ catalog, profiles: { b1: {}, b2: {}, b3: {} } }));
    await using sandbox = startSandbox(["--profiles", path, "--seed", "77", "--processes", "2"]);
    await sandbox.hasPrinted(DIRECTIONS);
    expect(sandbox.stdout()).toContain("3 bidders in 2 processes, seed 77");
    expect(sandbox.descendants()).toHaveLength(2);
  });

  test("a bidder's process that ends is said, and ends the sandbox with 1", async () => {
    await using sandbox = startSandbox([]);
    await sandbox.hasPrinted(DIRECTIONS);
    const [first] = sandbox.descendants();
    process.kill(first!.pid, "SIGKILL");
    const { code, stderr } = await sandbox.exited;
    expect(code).toBe(1);
    expect(stderr).toBe(`sandbox: stub process ${first!.pid} ended with status 137\n`);
    await sandbox.leavesNobody();
  });
});

describe("with an exchange", () => {
  test("the curl that it prints holds an auction in which everything happens", async () => {
    await using sandbox = startSandbox(WITH_EXCHANGE, { REDIS_URL: "redis://127.0.0.1:1" });
    await sandbox.hasPrinted(INVITATION);
    const [curl] = /curl -X POST '\S+\/bid\?explain=1'.*\n.*/.exec(sandbox.stdout())!;
    const shell = Bun.spawn(["sh", "-c", curl], { stdout: "pipe", stderr: "ignore" });
    const { explain } = JSON.parse(await shell.stdout.text());
    const { catalog } = await loadSandboxFile("data/sandbox.json");
    const { bidders } = catalog.supplies["news-home-top"] as { bidders: string[] };
    const rows: { bidder: string; state: string }[] = explain.bidders;
    expect(rows.map((row) => row.bidder)).toEqual(bidders);
    const states = [...new Set(rows.map((row) => row.state))].sort();
    expect(states).toEqual(["error", "invalid", "lost", "no_bid", "timeout", "won"]);
  });

  test("listens on this machine only", async () => {
    await using sandbox = startSandbox(WITH_EXCHANGE, { HOST: "0.0.0.0" });
    await sandbox.hasPrinted(INVITATION);
    expect(sandbox.stdout()).toContain(" is open on http://127.0.0.1:");
  });

  test("a taken port is one line, and nobody is left", async () => {
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const port = other.port!;
    await using sandbox = startSandbox(["--with-exchange", "--port", String(port)]);
    const { code, stdout, stderr } = await sandbox.exited;
    await other.stop(true);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`sandbox: port ${port} is in use; try --port ${(port % 65_535) + 1}\n`);
  });
});

describe("the end", () => {
  async function startWhole(): Promise<Sandbox & { folder: string }> {
    const sandbox = startSandbox(WITH_EXCHANGE);
    try {
      await sandbox.hasPrinted(INVITATION);
      // Eight bidders, and the supervisor with three workers.
      expect(sandbox.descendants()).toHaveLength(12);
      return { ...sandbox, folder: dirname(catalogPathIn(sandbox.stdout())) };
    } catch (error) {
      await sandbox[Symbol.asyncDispose]();
      throw error;
    }
  }

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "by %s is orderly, and leaves no process and no file",
    async (signal) => {
      await using sandbox = await startWhole();
      const port = portOf(sandbox);
      sandbox.kill(signal);
      const { code, stdout, stderr } = await sandbox.exited;
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain('"msg":"stopped"');
      await sandbox.leavesNobody();
      expect(existsSync(sandbox.folder)).toBe(false);
      expect(askOnce(port, { method: "GET", path: "/livez" })).rejects.toThrow();
    },
  );

  test("by one press of Ctrl-C that arrives twice is as orderly", async () => {
    await using sandbox = await startWhole();
    sandbox.kill("SIGINT");
    sandbox.kill("SIGINT");
    const { code, stdout } = await sandbox.exited;
    expect(code).toBe(0);
    expect(stdout).toContain('"msg":"stopped"');
    await sandbox.leavesNobody();
  });

  test("by a second press comes at once, and the exchange still ends in order", async () => {
    await using sandbox = await startWhole();
    // An auction with a bidder that hangs keeps the exchange for its whole time.
    const connection = await openConnection(portOf(sandbox));
    const answer = connection.ask(
      formatBid({ supplyId: "news-home-top", country: "US", tmax: 3_000 }),
    );
    await until("it is asked", async () => (await countersOf(sandbox, "hung")).requests === 1);
    sandbox.kill("SIGINT");
    await sandbox.hasPrinted('"msg":"stopping"');
    await Bun.sleep(150); // Longer than one press takes to arrive twice.
    sandbox.kill("SIGINT");
    expect((await answer).status).toBe(200);
    expect((await sandbox.exited).code).toBe(130);
    await sandbox.leavesNobody();
  });

  test("by SIGKILL leaves nobody either", async () => {
    await using sandbox = await startWhole();
    sandbox.kill("SIGKILL");
    await sandbox.exited;
    await sandbox.leavesNobody();
  });

  test("comes when the exchange ends, with its status", async () => {
    await using sandbox = await startWhole();
    // Of those that it has started itself only the supervisor has started others.
    const supervisor = childrenOf(sandbox.pid).find(({ pid }) => childrenOf(pid).length === 3)!;
    process.kill(supervisor.pid, "SIGKILL");
    expect((await sandbox.exited).code).toBe(137);
    await sandbox.leavesNobody();
    expect(existsSync(sandbox.folder)).toBe(false);
  });
});

describe("bad arguments", () => {
  test("in the profiles are reported all at once, with status 78", async () => {
    using folder = createFolder();
    const path = folder.path("profiles.json");
    writeFileSync(path, '{"seed": -1, "profiles": {"b1": {"price": "dear"}}}');
    await using sandbox = startSandbox(["--profiles", path]);
    const { code, stdout, stderr } = await sandbox.exited;
    expect([code, stdout]).toEqual([78, ""]);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "sandbox: bad profiles:",
      expect.stringContaining("#/catalog: "),
      expect.stringContaining("#/seed: "),
      expect.stringContaining("#/profiles/b1/price: "),
    ]);
  });

  test.each([
    ["--seed", "-1"],
    ["--seed", "4294967296"],
    ["--processes", "0"],
    ["--port", "x"],
  ])("%s %s is refused with the rule", async (flag, value) => {
    await using sandbox = startSandbox([flag, value]);
    const { code, stderr } = await sandbox.exited;
    expect(code).toBe(1);
    expect(stderr).toContain("Expected a whole number from ");
  });
});
