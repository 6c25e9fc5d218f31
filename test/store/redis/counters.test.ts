import { afterEach, beforeEach, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { answersWithin, CounterError, type CounterStore } from "../../../src/store/store.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { auctionsOf, openCounters } from "../../support/redis-store.ts";

let server: TestRedis;
let raw: Redis;
let counters: CounterStore;

beforeEach(async () => {
  server = await startRedis();
  raw = new Redis(server.url);
  counters = await openCounters(server.url);
});

afterEach(async () => {
  raw.disconnect();
  counters.close();
  await server.stop();
});

test("gives up a call to a server that hangs, and a late one is counted once", async () => {
  process.kill(server.pid, "SIGSTOP");
  await expect(counters.apply("p", [auctionsOf(0, 1)])).rejects.toThrow("1000 ms");
  process.kill(server.pid, "SIGCONT");
  expect(await answersWithin(counters, 5_000)).toBe(true);
  // The increments that nobody waited for may have been applied: the offset tells.
  expect(await counters.apply("p", [auctionsOf(0, 1)])).toEqual([1]);
  expect((await counters.read(["s"])).get("s")!.get("total_reqs")).toBe("1");
});

test("names the key that is not a hash, and counts the rest", async () => {
  await raw.set("stats:{bad}", "x");
  const [bad, good] = await counters.apply("p", [
    auctionsOf(0, 1, "bad"),
    auctionsOf(0, 1, "good"),
  ]);
  expect(bad).toBeInstanceOf(CounterError);
  expect((bad as Error).message).toContain("stats:{bad}");
  expect(good).toBe(1);
  // Never numbers that silently lack a supply.
  expect(await counters.read().catch(String)).toContain("WRONGTYPE");
  expect((await counters.read(["good"])).get("good")!.get("total_reqs")).toBe("1");
});

test("lists every supply that it counted, also on a server that was emptied", async () => {
  await counters.apply("p", [auctionsOf(0, 1, "a")]);
  await raw.flushall();
  expect(await counters.apply("p", [auctionsOf(1, 2, "a")])).toEqual([0]);
  await counters.apply("p", [auctionsOf(0, 2, "a")]);
  expect([...(await counters.read()).keys()]).toEqual(["a"]);
  // Another producer on the same connection begins from nothing as well.
  await raw.flushall();
  expect(await counters.apply("q", [auctionsOf(0, 1, "a")])).toEqual([1]);
  expect([...(await counters.read()).keys()]).toEqual(["a"]);
});

test("keeps a supply's counters in one slot of a cluster", async () => {
  await counters.apply("p", [auctionsOf(0, 1, "supply1")]);
  expect(await raw.exists("stats:{supply1}")).toBe(1);
});

test("reads no more of a supply once the server has been emptied", async () => {
  await counters.apply("p", [auctionsOf(0, 1), auctionsOf(0, 1, "t")]);
  expect((await counters.read()).size).toBe(2);
  await raw.flushall();
  await counters.apply("p", [auctionsOf(0, 1, "t")]);
  expect([...(await counters.read()).keys()]).toEqual(["t"]);
});

test("counts more supplies than leave in one write, in the order given", async () => {
  const batch = Array.from({ length: 1_201 }, (_, i) => auctionsOf(0, 1 + (i % 3), `s${i}`));
  const replies = await counters.apply("p", batch);
  expect(replies).toEqual(batch.map(({ to }) => to));
  expect((await counters.read()).size).toBe(batch.length);
});
