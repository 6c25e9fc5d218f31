import { afterEach, beforeEach, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { createRedisWindows } from "../../../src/store/redis/windows.ts";
import type { WindowStore } from "../../../src/store/store.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { openWindows, untilAdmits } from "../../support/redis-store.ts";
import { until } from "../../support/until.ts";

let server: TestRedis;
let raw: Redis;
let windows: WindowStore;

beforeEach(async () => {
  server = await startRedis("--appendonly", "yes", "--appendfsync", "always");
  raw = new Redis(server.url);
  raw.on("error", () => {});
  windows = await openWindows(server.url);
});

afterEach(async () => {
  raw.disconnect();
  windows.close();
  await server.stop();
});

test("gives up a call to a server that hangs, and a late one uses no quota", async () => {
  const hasty = await openWindows(server.url, { producer: "hasty", admitDeadlineMs: 200 });
  process.kill(server.pid, "SIGSTOP");
  const sentMs = performance.now();
  await expect(hasty.admit([{ client: "late", wanted: 1 }])).rejects.toThrow("200 ms");
  await until("clocks that differ agree that it is over", () => performance.now() - sentMs > 400);
  process.kill(server.pid, "SIGCONT");
  await untilAdmits(hasty);
  expect(await raw.exists("rl:late")).toBe(0);
  hasty.close();
});

test("an admission that reached Redis too late is a failure, not a verdict", async () => {
  const replies: Record<string, unknown> = { TIME: ["1000", "0"], EVALSHA: [1_000_000_001, 0] };
  const deaf = createRedisWindows({
    connect: () => ({ call: async (command) => replies[command], close() {} }),
    limit: { max: 3, windowMs: 60_000 },
    producer: "late",
    admitDeadlineMs: 1_000,
    deadlineMs: 1_000,
  });
  const late = deaf.admit([{ client: "a", wanted: 1 }]);
  await expect(late).rejects.toThrow("reached Redis after its deadline");
  deaf.close();
});

test("two connections admit together exactly max", async () => {
  const other = await openWindows(server.url, { producer: "other" });
  const asks = Array.from({ length: 40 }, (_, i) =>
    (i % 2 === 0 ? windows : other).admit([{ client: "a", wanted: 1 }]),
  );
  const granted = (await Promise.all(asks)).map(([reply]) => reply!.granted);
  expect(granted.reduce((sum, one) => sum + one)).toBe(3);
  other.close();
});

test("keeps its windows, each with its expiry, over a restart of a Redis that persists", async () => {
  const entries = ["a", "b", "c"].map((client) => ({ client, wanted: 1 }));
  for (let i = 0; i < 2; i++) await windows.admit(entries);
  await server.restart();
  await untilAdmits(windows);
  for (const { client } of entries) expect(await raw.pttl(`rl:${client}`)).toBeWithin(1, 60_001);
  const again = entries.map(({ client }) => ({ client, wanted: 2 }));
  expect((await windows.admit(again)).map(({ granted }) => granted)).toEqual([1, 1, 1]);
});
