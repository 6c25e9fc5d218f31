import { describe, expect, test } from "bun:test";
import { loadConfig } from "../src/config.ts";
import {
  auctionLogEvery,
  bidderSettings,
  egressRule,
  keepsWindows,
  ownUrl,
  redisUrl,
  trustedRanges,
} from "../src/config-views.ts";

describe("trustedRanges", () => {
  test("splits the list, drops what is empty, makes an address a range of one", () => {
    const config = loadConfig({
      TRUSTED_PROXIES: " 10.0.0.0/8 ,, 192.0.2.1,2001:db8::1,fc00::/7,",
    });
    expect(trustedRanges(config)).toEqual([
      "10.0.0.0/8",
      "192.0.2.1/32",
      "2001:db8::1/128",
      "fc00::/7",
    ]);
    expect(trustedRanges(loadConfig({}))).toEqual([]);
  });
});

describe("bidderSettings", () => {
  test("has both ends of the latency", () => {
    const latencyOf = (BIDDER_LATENCY_MS: string) =>
      bidderSettings(loadConfig({ BIDDER_LATENCY_MS })).simulation.latency;
    expect(latencyOf("10-40")).toEqual({ leastMs: 10, mostMs: 40 });
    expect(latencyOf("")).toEqual({ leastMs: 0, mostMs: 0 });
  });
});

describe("redisUrl", () => {
  test("is away without a Redis, so that the embedded store is used", () => {
    expect(redisUrl(loadConfig({}))).toBeUndefined();
    expect(redisUrl(loadConfig({ REDIS_PORT: "7000" }))).toBeUndefined();
  });

  test("prefers the URL, else joins host and port", () => {
    const both = { REDIS_URL: "redis://a:1/2", REDIS_HOST: "b" };
    expect(redisUrl(loadConfig(both))).toBe("redis://a:1/2");
    expect(redisUrl(loadConfig({ REDIS_HOST: "b" }))).toBe("redis://b:6379");
    expect(redisUrl(loadConfig({ REDIS_HOST: "::1", REDIS_PORT: "7" }))).toBe("redis://[::1]:7");
  });
});

describe("egressRule", () => {
  test("allows private bidders only where the setting says so", () => {
    expect(egressRule(loadConfig({}))).toEqual({ allowPrivate: false });
    expect(egressRule(loadConfig({ ALLOW_PRIVATE_BIDDERS: "true" }))).toEqual({
      allowPrivate: true,
    });
  });
});

test("keepsWindows without a Redis, unless the limiter is off", () => {
  expect(keepsWindows(loadConfig({}))).toBe(true);
  expect(keepsWindows(loadConfig({ RATE_LIMIT_MAX_REQUESTS: "0" }))).toBe(false);
  expect(keepsWindows(loadConfig({ REDIS_HOST: "r" }))).toBe(false);
});

test.each([
  ["all", 1],
  ["1/50", 50],
  ["off", 0],
])("auctionLogEvery of %s is %d", (setting, every) => {
  expect(auctionLogEvery({ ...loadConfig({}), LOG_AUCTIONS: setting })).toBe(every);
});

test.each([
  ["0.0.0.0", "http://localhost:9"],
  ["::", "http://localhost:9"],
  ["::1", "http://[::1]:9"],
  ["exchange.example", "http://exchange.example:9"],
])("ownUrl of a service that listens on %s is %s", (HOST, url) => {
  expect(ownUrl(loadConfig({ HOST }), 9, "localhost")).toBe(url);
});
