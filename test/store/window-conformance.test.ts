import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import type { WindowLimit, WindowStore } from "../../src/store/store.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { openWindows } from "../support/redis-store.ts";
import { until } from "../support/until.ts";
import { admitIn, windowsOf } from "../support/windows.ts";

type Admissions = Pick<WindowStore, "admit">;

interface Subject {
  open(limit?: WindowLimit): Promise<Admissions>;
  /** Closes what was opened and deletes what it held. */
  clean(): Promise<void>;
}

const LIMIT: WindowLimit = { max: 3, windowMs: 60_000 };
/** Clients that break stores which build keys, patterns or plain objects out of them. */
const AWKWARD_CLIENTS = ["__proto__", "constructor", "a:b", "{a}", "}{", "%s%d%00", "*?[a-z]", ""];

let redis: TestRedis;
let raw: Redis;
const closing: (() => void)[] = [];

beforeAll(async () => {
  redis = await startRedis();
  raw = new Redis(redis.url);
});

afterAll(async () => {
  raw.disconnect();
  await redis.stop();
});

async function openRedis(limit = LIMIT): Promise<WindowStore> {
  const store = await openWindows(redis.url, { limit });
  closing.push(store.close);
  return store;
}

async function cleanRedis() {
  for (const close of closing.splice(0)) close();
  await raw.flushall();
}

const subjects: Record<string, Subject> = {
  Redis: { open: openRedis, clean: cleanRedis },
  memory: {
    async open(limit = LIMIT) {
      const windows = windowsOf(limit);
      return { admit: async (entries) => entries.map(admitIn(windows)) };
    },
    clean: async () => {},
  },
};

const ask = async (store: Admissions, client: string, wanted = 1) =>
  (await store.admit([{ client, wanted }]))[0]!;

describe.each(Object.entries(subjects))("windows in %s", (_name, { open, clean }) => {
  afterEach(clean);

  test("admits exactly max in a window, one after the other", async () => {
    const store = await open();
    const granted: number[] = [];
    for (let i = 0; i < 6; i++) granted.push((await ask(store, "10.0.0.1")).granted);
    expect(granted).toEqual([1, 1, 1, 0, 0, 0]);
  });

  test("admits exactly max of many calls that are sent at once", async () => {
    const store = await open();
    const replies = await Promise.all(Array.from({ length: 50 }, () => ask(store, "10.0.0.1")));
    expect(replies.reduce((sum, reply) => sum + reply.granted, 0)).toBe(3);
  });

  test("grants the part of a client's requests that fits", async () => {
    const store = await open();
    expect(await ask(store, "a", 5)).toMatchObject({ granted: 3, remaining: 0 });
    expect(await ask(store, "b", 2)).toMatchObject({ granted: 2, remaining: 1 });
    expect(await ask(store, "b", 2)).toMatchObject({ granted: 1, remaining: 0 });
    expect(await ask(store, "b", 2)).toMatchObject({ granted: 0, remaining: 0 });
  });

  test("counts a client that is in one batch twice", async () => {
    const store = await open();
    const twice = [
      { client: "a", wanted: 2 },
      { client: "b", wanted: 1 },
      { client: "a", wanted: 2 },
    ];
    expect((await store.admit(twice)).map((reply) => reply.granted)).toEqual([2, 1, 1]);
  });

  test("tells how long until the oldest admission leaves", async () => {
    const store = await open();
    const before = performance.now();
    const first = await ask(store, "a");
    expect(first.resetMs).toBe(60_000);
    await until("a moment later", () => performance.now() - before > 5);
    const refused = [await ask(store, "a", 2), await ask(store, "a")];
    const elapsedMs = performance.now() - before;
    for (const { resetMs } of refused) {
      expect(resetMs).toBeLessThan(60_000);
      expect(resetMs).toBeGreaterThanOrEqual(60_000 - elapsedMs - 1);
    }
  });

  test("admits a client that never stops asking one window after its admission", async () => {
    const windowMs = 150;
    const store = await open({ max: 2, windowMs });
    const sentMs = performance.now();
    expect(await ask(store, "a", 2)).toMatchObject({ granted: 2 });
    const answeredMs = performance.now();
    let refusals = 0;
    let last = await ask(store, "a");
    while (last.granted === 0) {
      refusals++;
      expect(last.resetMs).toBeGreaterThan(0);
      expect(performance.now() - sentMs).toBeLessThan(10 * windowMs);
      await Bun.sleep(1);
      last = await ask(store, "a");
    }
    expect(performance.now() - sentMs).toBeGreaterThanOrEqual(windowMs - 1);
    expect(refusals).toBeGreaterThan(0);
    expect(performance.now() - answeredMs).toBeLessThan(5 * windowMs);
    expect(last.remaining).toBe(1);
  });

  test("answers many clients in their order, each by itself", async () => {
    const store = await open();
    const entries = Array.from({ length: 500 }, (_, i) => ({
      client: `10.0.${i >> 8}.${i & 255}`,
      wanted: (i % 5) + 1,
    }));
    const replies = await store.admit(entries);
    expect(replies.map((reply) => reply.granted)).toEqual(
      entries.map(({ wanted }) => Math.min(3, wanted)),
    );
    expect(replies.map((reply) => reply.remaining)).toEqual(
      entries.map(({ wanted }) => Math.max(0, 3 - wanted)),
    );
  });

  test("keeps clients with awkward names apart", async () => {
    const store = await open();
    const entries = AWKWARD_CLIENTS.map((client) => ({ client, wanted: 3 }));
    for (const reply of await store.admit(entries)) expect(reply.granted).toBe(3);
    for (const reply of await store.admit(entries)) expect(reply.granted).toBe(0);
  });
});

describe("windows in Redis, after an outage", () => {
  afterEach(cleanRedis);

  test("counts admissions that were made elsewhere, as old as they are", async () => {
    const store = await openRedis();
    const admissions = [
      { id: "w.1", ageMs: 50_000 },
      { id: "w.2", ageMs: 10_000 },
      { id: "w.3", ageMs: 61_000 },
    ];
    await store.restore([{ client: "a", admissions }]);
    const reply = await ask(store, "a", 2);
    expect(reply).toMatchObject({ granted: 1, remaining: 0 });
    expect(reply.resetMs).toBeLessThanOrEqual(10_000);
    expect(reply.resetMs).toBeGreaterThan(5_000);
  });

  test("tells when a place is free where more than max were restored", async () => {
    const store = await openRedis();
    const ages = [50_000, 40_000, 30_000, 20_000, 10_000];
    const admissions = ages.map((ageMs, i) => ({ id: `w.${i}`, ageMs }));
    await store.restore([{ client: "a", admissions }]);
    // A place is free when the admissions of 50, 40 and 30 s ago have left.
    const { granted, resetMs } = await ask(store, "a");
    expect(granted).toBe(0);
    expect(resetMs).toBeLessThanOrEqual(30_000);
    expect(resetMs).toBeGreaterThan(25_000);
  });
});
