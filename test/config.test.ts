import { describe, expect, test } from "bun:test";
import {
  ConfigError,
  ConfigSchema,
  loadConfig,
  type RawSettings,
  rule,
  type SettingName,
} from "../src/config.ts";

/** The problems of settings that are refused; none when they are good. */
function problemsOf(...layers: RawSettings[]): readonly string[] {
  try {
    loadConfig(...layers);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("loadConfig", () => {
  test("has the documented defaults when nothing is set", () => {
    expect(loadConfig({})).toMatchObject({
      PORT: 8000,
      HOST: "0.0.0.0",
      WORKERS: 3,
      REDIS_URL: "",
      REDIS_HOST: "",
      REDIS_PORT: 6379,
      DATA_DIR: ".data",
      CATALOG: "data/catalog.json",
      RATE_LIMIT_MAX_REQUESTS: 3,
      RATE_LIMIT_WINDOW_SECONDS: 60,
      TRUSTED_PROXIES: "",
      TMAX_DEFAULT: 200,
      TMAX_MAX: 5000,
      NO_BID_PROBABILITY: 0.3,
      BIDDER_LATENCY_MS: "0-0",
      BID_PRICE_MAX: 1000,
      DEVICE_IP: "truncated",
      ALLOW_PRIVATE_BIDDERS: "false",
      STATS_FLUSH_MS: 250,
      STAT_CACHE_MS: 0,
      LOG_LEVEL: "info",
      LOG_AUCTIONS: "",
    });
  });

  test("prefers an earlier layer, setting by setting", () => {
    const flags = { PORT: "1", WORKERS: undefined };
    const environment = { PORT: "2", WORKERS: "5", HOST: "::1" };
    expect(loadConfig(flags, environment)).toMatchObject({ PORT: 1, WORKERS: 5, HOST: "::1" });
  });

  test("takes an empty string for not set", () => {
    expect(loadConfig({ PORT: "" }, { PORT: "9000" }).PORT).toBe(9000);
    expect(loadConfig({ DATA_DIR: "" }).DATA_DIR).toBe(".data");
  });

  test("ignores variables that are not settings", () => {
    expect(Object.keys(loadConfig({ PATH: "/bin", __proto__: "x" } as never)).sort()).toEqual(
      Object.keys(ConfigSchema.properties).sort(),
    );
  });

  test("cannot be changed afterwards", () => {
    expect(Object.isFrozen(loadConfig({}))).toBe(true);
  });

  test("reports all problems at once, each with the variable, its value and the rule", () => {
    const problems = problemsOf({
      PORT: "http",
      WORKERS: "0",
      REDIS_URL: "localhost:6379",
      NO_BID_PROBABILITY: "1.5",
      LOG_LEVEL: "loud",
      LOG_AUCTIONS: "1/0",
      BIDDER_LATENCY_MS: "fast",
      RATE_LIMIT_ON_ERROR: "maybe",
      BID_PRICE_MAX: "4000.01",
      DEVICE_IP: "hidden",
      ALLOW_PRIVATE_BIDDERS: "yes",
    });
    expect(problems).toEqual([
      'PORT="http": expected a whole number from 0 to 65535',
      'WORKERS="0": expected a whole number from 1 to 64',
      'REDIS_URL="localhost:6379": expected redis://host:port, rediss://host:port or unix:/path',
      'RATE_LIMIT_ON_ERROR="maybe": expected one of local, open, closed',
      'NO_BID_PROBABILITY="1.5": expected a number from 0 to 1',
      'BIDDER_LATENCY_MS="fast": expected min-max in milliseconds, such as 10-40',
      'BID_PRICE_MAX="4000.01": expected a number from 0.01 to 4000',
      'DEVICE_IP="hidden": expected one of truncated, full',
      'ALLOW_PRIVATE_BIDDERS="yes": expected one of true, false',
      'LOG_LEVEL="loud": expected one of fatal, error, warn, info, debug, trace, silent',
      'LOG_AUCTIONS="1/0": expected all, off or 1/N',
    ]);
    expect(new ConfigError(problems).message.split("\n")).toEqual([
      "bad configuration:",
      ...problems.map((problem) => `  ${problem}`),
    ]);
  });

  test("reports what breaks a rule between settings together with all the rest", () => {
    const problems = problemsOf({
      PORT: "http",
      TMAX_DEFAULT: "300",
      TMAX_MAX: "200",
      BIDDER_LATENCY_MS: "40-10",
      TRUSTED_PROXIES: "10.0.0.0/8, proxy",
    });
    expect(problems).toEqual([
      'PORT="http": expected a whole number from 0 to 65535',
      'TMAX_DEFAULT="300": expected at most TMAX_MAX',
      'BIDDER_LATENCY_MS="40-10": expected min-max in milliseconds, such as 10-40',
      'TRUSTED_PROXIES="proxy": expected a comma separated list of CIDR ranges, such as 10.0.0.0/8',
    ]);
  });

  test("does not blame a setting for another one that is wrong, nor one setting twice", () => {
    expect(problemsOf({ TMAX_MAX: "0" })).toEqual([
      'TMAX_MAX="0": expected a whole number from 1 to 60000',
    ]);
    expect(problemsOf({ BIDDER_LATENCY_MS: "10" }).length).toBe(1);
  });

  test.each(["8000.5", "0x50", "true", "false", "8000x", "NaN", "Infinity", "-1", "65536"])(
    "refuses the port %p",
    (port) => {
      expect(problemsOf({ PORT: port })).toEqual([
        `PORT="${port}": expected a whole number from 0 to 65535`,
      ]);
    },
  );

  test("takes 1e3 for a thousand, not for 1", () => {
    expect(loadConfig({ PORT: "1e3" }).PORT).toBe(1000);
  });

  test.each(["true", "NaN", "Infinity", "-0.1", "1.1", "0,3", "30%", "0x1"])(
    "refuses the probability %p",
    (value) => {
      expect(problemsOf({ NO_BID_PROBABILITY: value }).length).toBe(1);
    },
  );

  test.each([
    ["0", 0],
    ["1", 1],
    ["0.25", 0.25],
    [".5", 0.5],
    ["1e-3", 0.001],
  ])("takes the probability %p", (value, expected) => {
    expect(loadConfig({ NO_BID_PROBABILITY: value }).NO_BID_PROBABILITY).toBe(expected);
  });

  test.each([
    ["PORT", "0", "65535"],
    ["WORKERS", "1", "64"],
    ["RATE_LIMIT_MAX_REQUESTS", "0", "10000"],
    ["TMAX_DEFAULT", "1", "5000"],
    ["STATS_FLUSH_MS", "10", "60000"],
    ["BID_PRICE_MAX", "0.01", "4000"],
    ["DEVICE_IP", "truncated", "full"],
    ["ALLOW_PRIVATE_BIDDERS", "true", "false"],
    ["LOG_AUCTIONS", "off", "1/999999999"],
    ["LOG_LEVEL", "silent", "trace"],
    ["REDIS_URL", "rediss://host", "unix:///tmp/redis.sock"],
  ])("takes %s from %p to %p", (name, least, most) => {
    expect(problemsOf({ [name]: least })).toEqual([]);
    expect(problemsOf({ [name]: most })).toEqual([]);
  });

  test("allows the default tmax to be the most, and latencies to be one number", () => {
    expect(problemsOf({ TMAX_DEFAULT: "70", TMAX_MAX: "70" })).toEqual([]);
    expect(problemsOf({ BIDDER_LATENCY_MS: "40-40" })).toEqual([]);
  });

  test.each(["10/8", "10.1/16", "1234", "010.0.0.0/8", "10.0.0.0/33", "::1/129", "10.0.0.0/", "*"])(
    "refuses the trusted range %p, which does not mean what it seems to",
    (range) => {
      expect(problemsOf({ TRUSTED_PROXIES: range })).toEqual([
        `TRUSTED_PROXIES="${range}": expected ${rule("TRUSTED_PROXIES")}`,
      ]);
    },
  );

  test("never shows a password, not even one in a setting that is wrong", () => {
    const [problem] = problemsOf({ REDIS_URL: "http://user:hunter2@host:6379" });
    expect(problem).toStartWith('REDIS_URL="http://user:***@host:6379"');
  });
});

describe("rule", () => {
  test.each(Object.keys(ConfigSchema.properties) as SettingName[])("says one for %s", (name) => {
    expect(rule(name)).not.toContain("undefined");
  });
});

describe("CATALOG", () => {
  test.each([
    "data/catalog.json",
    "C:\\catalog.json",
    "sqlite:catalog.db",
    "sqlite:///var/lib/catalog.db",
    "postgres://me:pw@db/catalog",
    "postgresql://db:5432/catalog?sslmode=require",
    "mysql://me@db/catalog",
    "mariadb://db/catalog",
  ])("may be %p", (CATALOG) => {
    expect(loadConfig({ CATALOG }).CATALOG).toBe(CATALOG);
  });

  test.each([
    ["sqlite:", "sqlite:"],
    ["mongodb://me:hunter2@db/catalog", "mongodb://me:***@db/catalog"],
    ["postgres://me:hunter2@db:port/catalog", "postgres://me:***@db:port/catalog"],
  ])("may not be %p, and the message has no password", (CATALOG, shown) => {
    const [problem, ...others] = problemsOf({ CATALOG });
    expect(problem).toBe(`CATALOG="${shown}": expected ${rule("CATALOG")}`);
    expect(others).toEqual([]);
  });
});
