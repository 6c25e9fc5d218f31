import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { ConfigSchema } from "../../src/config.ts";
import { probePort } from "../../src/processes/port-probe.ts";
import { runExchange, startExchange } from "../support/exchange.ts";
import { createFolder } from "../support/folder.ts";
import { startRedis } from "../support/redis.ts";

setDefaultTimeout(60_000);

const linesOf = (text: string) => text.trimEnd().split("\n");

describe("the banner", () => {
  test("names URL, workers, store, catalog and limiter, and its curl works", async () => {
    await using exchange = await startExchange({ env: { HOST: "", NO_BID_PROBABILITY: "0" } });
    const banner = exchange.stdout();
    expect(banner).toContain(`http://localhost:${exchange.port} `);
    expect(banner).toContain(`workers   3 (pid ${exchange.workerPids().join(", ")})`);
    expect(banner).toContain(`store     embedded in ${exchange.dataDir}, for one host only`);
    expect(banner).toContain("catalog   data/catalog.json: 12 supplies, 20 bidders");
    expect(banner).toContain("limiter   3 bids in 60 s for each client");

    const [curl] = /curl -X POST .*\n.*/.exec(banner)!;
    const shell = Bun.spawn(["sh", "-c", curl], { stdout: "pipe", stderr: "ignore" });
    const answer = JSON.parse(await shell.stdout.text());
    expect(answer).toEqual({ winner: expect.any(String), price: expect.any(Number) });
  });

  test("names the Redis and the settings in use", async () => {
    const redis = await startRedis();
    const env = { REDIS_URL: redis.url, RATE_LIMIT_MAX_REQUESTS: "0", WORKERS: "1" };
    await using exchange = await startExchange({ env });
    expect(exchange.stdout()).toContain(`store     Redis ${redis.url}, shared by every host`);
    expect(exchange.stdout()).toContain("limiter   off");
    expect(exchange.workerPids()).toHaveLength(1);
    await exchange.stop();
    await redis.stop();
  });
});

describe("a second copy", () => {
  test("on the same port fails with one line, and the first goes on", async () => {
    await using exchange = await startExchange();
    const workers = exchange.workerPids();
    using folder = createFolder();
    const env = { HOST: "127.0.0.1", PORT: String(exchange.port), DATA_DIR: folder.dir };
    const second = await runExchange(["serve"], { env });
    expect(second.code).toBe(1);
    expect(second.stdout).toBe("");
    expect(linesOf(second.stderr)).toEqual([
      expect.stringContaining(`exchange: port ${exchange.port} is already in use`),
    ]);
    expect((await fetch(`${exchange.url}/readyz`)).status).toBe(200);
    expect(exchange.workerPids()).toEqual(workers);
  });

  test("that starts at the same moment on the same port is refused", async () => {
    const env = { PORT: String(await probePort("127.0.0.1", 0, 0)) };
    const starts = await Promise.allSettled([1, 2, 3].map(() => startExchange({ env })));
    const open = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    const refusals = starts.flatMap((start) => (start.status === "rejected" ? [start.reason] : []));
    await Promise.all(open.map((exchange) => exchange[Symbol.asyncDispose]()));
    expect(open.length).toBe(1);
    expect(refusals.map(String)).toEqual([
      expect.stringContaining("is already in use"),
      expect.stringContaining("is already in use"),
    ]);
  });

  test("on the same DATA_DIR fails with one line, and the first goes on", async () => {
    await using exchange = await startExchange();
    const env = { HOST: "127.0.0.1", PORT: "0", DATA_DIR: exchange.dataDir };
    const second = await runExchange(["serve"], { env });
    expect(second.code).toBe(1);
    expect(second.stdout).toBe("");
    expect(linesOf(second.stderr)).toEqual([
      expect.stringContaining(`exchange: DATA_DIR ${exchange.dataDir} is in use`),
    ]);
    expect((await fetch(`${exchange.url}/stat`)).status).toBe(200);
  });
});

describe("bad settings", () => {
  test("are reported all at once, each with its value and rule, with status 78", async () => {
    const env = {
      PORT: "70000",
      WORKERS: "many",
      NO_BID_PROBABILITY: "1.5",
      REDIS_URL: "http://redis",
      LOG_LEVEL: "loud",
    };
    for (const command of ["serve", "check"]) {
      const { code, stdout, stderr } = await runExchange([command], { env });
      expect(code).toBe(78);
      expect(stdout).toBe("");
      for (const [name, value] of Object.entries(env)) {
        expect(stderr).toMatch(new RegExp(`^ *${name}="${value}": expected \\S`, "m"));
      }
    }
  });

  test("never show a password", async () => {
    const env = { REDIS_URL: "http://user:hunter2@redis" };
    const { code, stderr } = await runExchange(["check"], { env });
    expect(code).toBe(78);
    expect(stderr).not.toContain("hunter2");
  });
});

describe("a bad catalog", () => {
  const cases: [string, string, RegExp[]][] = [
    ["that is not JSON", "{", [/not JSON/]],
    ["that is empty", "", [/not JSON/]],
    ["of another shape", `{"supplies": [], "bidders": {}}`, [/#\/supplies: /]],
    [
      "with several faults",
      JSON.stringify({
        supplies: { "a/b": ["bidder1", "ghost"], c: ["bidder1", "bidder1"] },
        bidders: { bidder1: { country: "US" } },
      }),
      [/#\/supplies\/a~1b\/1: /, /#\/supplies\/c\/1: /],
    ],
  ];
  test.each(cases)("%s is refused with status 78 and its faults", async (_, text, faults) => {
    using folder = createFolder();
    const path = join(folder.dir, "catalog.json");
    writeFileSync(path, text);
    const env = { CATALOG: path, DATA_DIR: folder.dir, PORT: "0" };
    for (const command of ["serve", "check"]) {
      const { code, stdout, stderr } = await runExchange([command], { env });
      expect(code).toBe(78);
      expect(stdout).toBe("");
      for (const fault of faults) expect(stderr).toMatch(fault);
    }
  });

  test("that is missing is refused with its path", async () => {
    const { code, stderr } = await runExchange(["check"], { env: { CATALOG: "/no/such.json" } });
    expect(code).toBe(78);
    expect(stderr).toContain("/no/such.json");
  });
});

describe("the command line", () => {
  test.each(["--help", "serve --help"])("%s lists every setting with its default", async (line) => {
    const { code, stdout } = await runExchange(line.split(" "));
    expect(code).toBe(0);
    const words = stdout.replace(/\s+/g, " ");
    for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
      const shown = schema.default === "" ? "unset" : String(schema.default);
      expect(words).toContain(`--${name.toLowerCase().replaceAll("_", "-")} <value>`);
      expect(words).toContain(`(env: ${name}, default: ${shown})`);
    }
  });

  test("--version is that of the package", async () => {
    const { code, stdout } = await runExchange(["--version"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${packageJson.version}\n` });
  });

  test("an unknown flag or command is refused", async () => {
    for (const args of [["serve", "--colour", "red"], ["sing"]]) {
      const { code, stderr } = await runExchange(args);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error: /);
    }
  });

  test("a flag wins over the environment, which wins over .env", async () => {
    using folder = createFolder();
    writeFileSync(join(folder.dir, ".env"), "TMAX_DEFAULT=no1\nTMAX_MAX=no2\nWORKERS=no3\n");
    const env: Record<string, string | undefined> = { TMAX_MAX: "no4", WORKERS: "no5" };
    for (const name of Object.keys(ConfigSchema.properties)) env[name] ??= undefined;
    const { stderr } = await runExchange(["check", "--workers", "no6"], { cwd: folder.dir, env });
    expect(stderr).toContain('TMAX_DEFAULT="no1"');
    expect(stderr).toContain('TMAX_MAX="no4"');
    expect(stderr).toContain('WORKERS="no6"');
  });

  test("check says that configuration and catalog are good", async () => {
    const { code, stdout, stderr } = await runExchange(["check"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("12 supplies, 20 bidders");
  });

  test("healthcheck ends with 0 when the service is ready and 1 when it is not", async () => {
    await using exchange = await startExchange();
    const env = { HOST: "127.0.0.1", PORT: String(exchange.port) };
    expect(await runExchange(["healthcheck"], { env })).toMatchObject({ code: 0 });
    await exchange.stop();
    const { code, stderr } = await runExchange(["healthcheck"], { env });
    expect(code).toBe(1);
    expect(linesOf(stderr)).toEqual([expect.stringMatching(/^exchange: not ready/)]);
  });
});
