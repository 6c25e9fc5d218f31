import { describe, expect, test } from "bun:test";
import { loadConfig } from "../src/config.ts";
import { egressRule, latencyRange, redisUrl, trustedRanges } from "../src/config-views.ts";

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

describe("latencyRange", () => {
  test("reads both ends", () => {
    const config = loadConfig({ BIDDER_LATENCY_MS: "10-40" });
    expect(latencyRange(config)).toEqual({ leastMs: 10, mostMs: 40 });
    expect(latencyRange(loadConfig({}))).toEqual({ leastMs: 0, mostMs: 0 });
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
