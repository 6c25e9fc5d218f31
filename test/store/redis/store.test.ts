import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { openRedisStore } from "../../../src/store/redis/open.ts";
import {
  answersWithin,
  CounterError,
  type CounterStore,
  type WindowStore,
} from "../../../src/store/store.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { until } from "../../support/until.ts";

let server: TestRedis;
let raw: Redis;
type RedisStore = CounterStore & WindowStore;
let store: RedisStore;
let reconnects: number;
let errors: string[];

beforeEach(async () => {
  server = await startRedis("--appendonly", "yes", "--appendfsync", "always");
  raw = new Redis(server.url);
  raw.on("error", () => {});
  reconnects = 0;
  errors = [];
  store = openStore("tester");
  await ready(store);
});

afterEach(async () => {
  raw.disconnect();
  store.close();
  await server.stop();
});

function openStore(
  producer: string,
  { admitDeadlineMs = 2_000, url = server.url } = {},
): RedisStore {
  return openRedisStore({
    url,
    limit: { max: 3, windowMs: 60_000 },
    producer,
    admitDeadlineMs,
    onError: (connection) => errors.push(connection),
    onReconnect: () => reconnects++,
  });
}

async function ready(of: RedisStore): Promise<void> {
  expect(await answersWithin(of, 5_000)).toBe(true);
  await until("an admission", () =>
    of.admit([{ client: "warm-up", wanted: 1 }]).then(
      () => true,
      () => false,
    ),
  );
}

const add = (from: number, to: number, supplyId = "s") => ({
  supplyId,
  from,
  to,
  increments: new Map([["total_reqs", to - from]]),
});

/** What a call is doing, without waiting for it. */
const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "resolved",
    (error: Error) => error.message,
  );

test("rejects every call while the server is away, at once, and goes on when it is back", async () => {
  await store.apply("p", [add(0, 1)]);
  await server.kill();
  await until("the loss is noticed", () => errors.length > 0);
  const sentMs = performance.now();
  const calls: Record<string, Promise<unknown>> = {
    admit: store.admit([{ client: "a", wanted: 1 }]),
    restore: store.restore([{ client: "a", admissions: [{ id: "x", ageMs: 1 }] }]),
    apply: store.apply("p", [add(1, 2)]),
    "apply of a new supply": store.apply("p", [add(0, 2, "t")]),
    "read of all": store.read(),
    "read of one": store.read(["s"]),
    forget: store.forget("p", ["s"]),
    ping: store.ping(),
  };
  const outcomes = await Promise.all(Object.values(calls).map(outcome));
  expect(Object.keys(calls).filter((_, i) => outcomes[i] === "resolved")).toEqual([]);
  expect(performance.now() - sentMs).toBeLessThan(2_000);
  await server.start();
  await ready(store);
  expect(await store.apply("p", [add(1, 2)])).toEqual([2]);
  expect((await store.read()).get("s")!.get("total_reqs")).toBe("2");
});

test("tells of each reconnection, not of the first connection", async () => {
  expect(reconnects).toBe(0);
  await server.restart();
  await until("it is back", () => reconnects === 1);
  await server.restart();
  await until("it is back again", () => reconnects === 2);
});

test("gives up a call to a server that hangs, and a late one uses no quota", async () => {
  const hasty = openStore("hasty", { admitDeadlineMs: 200 });
  await ready(hasty);
  process.kill(server.pid, "SIGSTOP");
  const admitted = outcome(hasty.admit([{ client: "late", wanted: 1 }]));
  const applied = outcome(hasty.apply("p", [add(0, 1)]));
  expect(await admitted).toContain("200 ms");
  expect(await applied).toContain("1000 ms");
  process.kill(server.pid, "SIGCONT");
  await ready(hasty);
  expect(await raw.exists("rl:late")).toBe(0);
  // The increments that nobody waited for may have been applied: the offset tells.
  expect(await hasty.apply("p", [add(0, 1)])).toEqual([1]);
  expect((await hasty.read(["s"])).get("s")!.get("total_reqs")).toBe("1");
  hasty.close();
});

test("calls go on through SCRIPT FLUSH", async () => {
  let counted = 0;
  for (let i = 0; i < 30; i++) {
    await raw.script("FLUSH");
    expect(await store.apply("p", [add(i, i + 1)])).toEqual([i + 1]);
    await raw.script("FLUSH");
    counted += (await store.admit([{ client: "a", wanted: 1 }]))[0]!.granted;
  }
  expect(counted).toBe(3);
  expect((await store.read(["s"])).get("s")!.get("total_reqs")).toBe("30");
});

test("two stores admit together exactly max", async () => {
  const other = openStore("other");
  await ready(other);
  const asks = Array.from({ length: 40 }, (_, i) =>
    (i % 2 === 0 ? store : other).admit([{ client: "a", wanted: 1 }]),
  );
  const granted = (await Promise.all(asks)).map(([reply]) => reply!.granted);
  expect(granted.reduce((sum, one) => sum + one)).toBe(3);
  other.close();
});

test("names the key that is not a hash, and counts the rest", async () => {
  await raw.set("stats:{bad}", "x");
  const [bad, good] = await store.apply("p", [add(0, 1, "bad"), add(0, 1, "good")]);
  expect(bad).toBeInstanceOf(CounterError);
  expect((bad as Error).message).toContain("stats:{bad}");
  expect(good).toBe(1);
  // Never numbers that silently lack a supply.
  expect(await outcome(store.read())).toContain("WRONGTYPE");
  expect((await store.read(["good"])).get("good")!.get("total_reqs")).toBe("1");
});

test("lists every supply that it counted, also on a server that was emptied", async () => {
  await store.apply("p", [add(0, 1, "a")]);
  await raw.flushall();
  expect(await store.apply("p", [add(1, 2, "a")])).toEqual([0]);
  await store.apply("p", [add(0, 2, "a")]);
  expect([...(await store.read()).keys()]).toEqual(["a"]);
  // Another producer on the same connection begins from nothing as well.
  await raw.flushall();
  expect(await store.apply("q", [add(0, 1, "a")])).toEqual([1]);
  expect([...(await store.read()).keys()]).toEqual(["a"]);
});

test("keeps its windows, each with its expiry, over a restart of a Redis that persists", async () => {
  const entries = ["a", "b", "c"].map((client) => ({ client, wanted: 1 }));
  for (let i = 0; i < 2; i++) await store.admit(entries);
  await server.restart();
  await ready(store);
  for (const { client } of entries) expect(await raw.pttl(`rl:${client}`)).toBeWithin(1, 60_001);
  const again = entries.map(({ client }) => ({ client, wanted: 2 }));
  expect((await store.admit(again)).map(({ granted }) => granted)).toEqual([1, 1, 1]);
});

test("needs no more rights than SECURITY.md says", async () => {
  const [, rules] = /user exchange (.+)/.exec(readFileSync("SECURITY.md", "utf8"))!;
  await raw.call("ACL", ["SETUSER", "exchange", ...rules!.split(" ")]);
  await raw.set("rl:text", "text");
  const url = server.url.replace("//", "//exchange:a-long-password@");
  const confined = openStore("confined", { url });
  await ready(confined);
  for (const clients of [["a", "b", "text"], ["a", "text", "c"], ["a"]]) {
    const entries = clients.map((client) => ({ client, wanted: 1 }));
    for (const { granted } of await confined.admit(entries)) expect(granted).toBe(1);
  }
  await raw.set("rl:text", "text");
  const admissions = [{ id: "x", ageMs: 5 }];
  await confined.restore(["a", "text"].map((client) => ({ client, admissions })));
  expect(await confined.apply("p", [add(0, 1)])).toEqual([1]);
  expect((await confined.read()).get("s")!.get("total_reqs")).toBe("1");
  await confined.forget("p", ["s"]);
  confined.close();
});

test("touches no key but the limiter's and the statistics'", async () => {
  await raw.set("mine", "untouched");
  await store.admit([{ client: "10.0.0.1", wanted: 2 }]);
  await store.restore([{ client: "10.0.0.2", admissions: [{ id: "x", ageMs: 5 }] }]);
  await store.apply("p", [add(0, 1)]);
  await store.read();
  await store.forget("p", ["s"]);
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

test("keeps a supply's counters in one slot of a cluster", async () => {
  await store.apply("p", [add(0, 1, "supply1")]);
  expect(await raw.exists("stats:{supply1}")).toBe(1);
});

test("reads no more of a supply once the server has been emptied", async () => {
  await store.apply("p", [add(0, 1), add(0, 1, "t")]);
  expect((await store.read()).size).toBe(2);
  await raw.flushall();
  await store.apply("p", [add(0, 1, "t")]);
  expect([...(await store.read()).keys()]).toEqual(["t"]);
});
