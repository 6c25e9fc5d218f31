import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import type { CounterStore, WindowStore } from "../../../src/store/store.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { auctionsOf, openCounters, openWindows, untilAdmits } from "../../support/redis-store.ts";
import { until } from "../../support/until.ts";

let server: TestRedis;
let raw: Redis;
let counters: CounterStore;
let windows: WindowStore;
let reconnects: number;
let errors: string[];

beforeEach(async () => {
  server = await startRedis("--appendonly", "yes", "--appendfsync", "always");
  raw = new Redis(server.url);
  raw.on("error", () => {});
  reconnects = 0;
  errors = [];
  const onError = (connection: string) => void errors.push(connection);
  counters = await openCounters(server.url, { onError, onReconnect: () => reconnects++ });
  windows = await openWindows(server.url, { onError });
});

afterEach(async () => {
  raw.disconnect();
  counters.close();
  windows.close();
  await server.stop();
});

/** What a call is doing, without waiting for it. */
const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "resolved",
    (error: Error) => error.message,
  );

test("rejects every call while the server is away, at once, and goes on when it is back", async () => {
  await counters.apply("p", [auctionsOf(0, 1)]);
  await server.kill();
  await until("the loss is noticed", () => errors.length > 0);
  const calls: Record<string, Promise<unknown>> = {
    admit: windows.admit([{ client: "a", wanted: 1 }]),
    restore: windows.restore([{ client: "a", admissions: [{ id: "x", ageMs: 1 }] }]),
    apply: counters.apply("p", [auctionsOf(1, 2)]),
    "apply of a new supply": counters.apply("p", [auctionsOf(0, 2, "t")]),
    "read of all": counters.read(),
    "read of one": counters.read(["s"]),
    forget: counters.forget("p", ["s"]),
    ping: counters.ping(),
  };
  const outcomes = await Promise.all(Object.values(calls).map(outcome));
  const names = Object.keys(calls);
  expect(names.filter((_, i) => outcomes[i] === "resolved")).toEqual([]);
  // At once: by the connection, not by a deadline.
  expect(names.filter((_, i) => outcomes[i]!.includes(" ms"))).toEqual([]);
  await server.start();
  await untilAdmits(windows);
  await until("the counters", () => reconnects === 1);
  expect(await counters.apply("p", [auctionsOf(1, 2)])).toEqual([2]);
  expect((await counters.read()).get("s")!.get("total_reqs")).toBe("2");
});

test("tells of each reconnection, not of the first connection", async () => {
  expect(reconnects).toBe(0);
  await server.restart();
  await until("it is back", () => reconnects === 1);
  await server.restart();
  await until("it is back again", () => reconnects === 2);
});

test("calls go on through SCRIPT FLUSH", async () => {
  let counted = 0;
  for (let i = 0; i < 30; i++) {
    await raw.script("FLUSH");
    expect(await counters.apply("p", [auctionsOf(i, i + 1)])).toEqual([i + 1]);
    await raw.script("FLUSH");
    counted += (await windows.admit([{ client: "a", wanted: 1 }]))[0]!.granted;
  }
  expect(counted).toBe(3);
  expect((await counters.read(["s"])).get("s")!.get("total_reqs")).toBe("30");
});

test("needs no more rights than SECURITY.md says", async () => {
  const [, rules] = /user exchange (.+)/.exec(readFileSync("SECURITY.md", "utf8"))!;
  await raw.call("ACL", ["SETUSER", "exchange", ...rules!.split(" ")]);
  await raw.set("rl:text", "text");
  const url = server.url.replace("//", "//exchange:a-long-password@");
  const ownWindows = await openWindows(url);
  const ownCounters = await openCounters(url);
  for (const clients of [["a", "b", "text"], ["a", "text", "c"], ["a"]]) {
    const entries = clients.map((client) => ({ client, wanted: 1 }));
    for (const { granted } of await ownWindows.admit(entries)) expect(granted).toBe(1);
  }
  await raw.set("rl:text", "text");
  const admissions = [{ id: "x", ageMs: 5 }];
  await ownWindows.restore(["a", "text"].map((client) => ({ client, admissions })));
  expect(await ownCounters.apply("p", [auctionsOf(0, 1)])).toEqual([1]);
  expect((await ownCounters.read()).get("s")!.get("total_reqs")).toBe("1");
  await ownCounters.forget("p", ["s"]);
  ownWindows.close();
  ownCounters.close();
});

test("touches no key but the limiter's and the statistics'", async () => {
  await raw.set("mine", "untouched");
  await windows.admit([{ client: "10.0.0.1", wanted: 2 }]);
  await windows.restore([{ client: "10.0.0.2", admissions: [{ id: "x", ageMs: 5 }] }]);
  await counters.apply("p", [auctionsOf(0, 1)]);
  await counters.read();
  await counters.forget("p", ["s"]);
  const keys = (await raw.keys("*")).sort();
  expect(keys).toEqual([
    "mine",
    "rl:10.0.0.1",
    "rl:10.0.0.2",
    "rl:warm-up",
    "stats:supplies",
    "stats:{s}",
  ]);
  expect(await raw.get("mine")).toBe("untouched");
  for (const key of keys.filter((name) => name.startsWith("rl:"))) {
    expect(await raw.pttl(key)).toBeWithin(1, 60_001);
  }
});
