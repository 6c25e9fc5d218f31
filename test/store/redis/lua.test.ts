import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { Redis } from "ioredis";
import admitSource from "../../../src/store/redis/lua/admit.lua" with { type: "text" };
import applySource from "../../../src/store/redis/lua/apply.lua" with { type: "text" };
import restoreSource from "../../../src/store/redis/lua/restore.lua" with { type: "text" };
import { createScript } from "../../../src/store/redis/script.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";

const WINDOW_US = 60_000_000;

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

beforeEach(() => redis.flushall());

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

async function clockUs(): Promise<number> {
  const [seconds, us] = await redis.time();
  return Number(seconds) * 1e6 + Number(us);
}

let batches = 0;

interface AdmitCall {
  wanted?: number[];
  max?: number;
  windowUs?: number;
  deadlineUs?: number;
  batch?: string;
}

/** EVAL of admit.lua as its header says, without the store around it. */
async function callAdmit(keys: string[], call: AdmitCall = {}): Promise<number[]> {
  const { wanted = keys.map(() => 1), max = 3, windowUs = WINDOW_US, deadlineUs = 0 } = call;
  const batch = call.batch ?? `b${++batches}`;
  const several = wanted.flatMap((count, i) => (count > 1 ? [i + 1, count] : []));
  const args = [max, windowUs, deadlineUs, batch, ...several].map(String);
  return (await redis.eval(admitSource, keys.length, ...keys, ...args)) as number[];
}

/** The time of the call, then `left` and `reset_us` of each client, also of those not named. */
async function admit(keys: string[], call: AdmitCall = {}): Promise<number[]> {
  const { max = 3, windowUs = WINDOW_US } = call;
  const [nowUs, ...named] = await callAdmit(keys, call);
  expect(named.length % 3).toBe(0);
  const all = [nowUs!, ...keys.flatMap(() => [max - 1, windowUs])];
  for (let at = 0; at < named.length; at += 3) {
    all.splice(2 * named[at]! - 1, 2, named[at + 1]!, named[at + 2]!);
  }
  return all;
}

/** Admissions that are there already, so many microseconds ago. */
async function presetAdmissions(key: string, ...agesUs: number[]): Promise<void> {
  const nowUs = await clockUs();
  for (const [i, ageUs] of agesUs.entries()) await redis.zadd(key, nowUs - ageUs, `old.${i}`);
}

async function scores(key: string): Promise<number[]> {
  const pairs = await redis.zrange(key, "0", "-1", "WITHSCORES");
  return pairs
    .flat()
    .filter((_, i) => i % 2 === 1)
    .map(Number);
}

describe("admit.lua", () => {
  test("answers with its clock, the places left and the time until the oldest leaves", async () => {
    const before = await clockUs();
    const [nowUs, left, resetUs, ...rest] = await admit(["rl:a"]);
    expect(nowUs).toBeGreaterThanOrEqual(before);
    expect(nowUs).toBeLessThanOrEqual(await clockUs());
    expect([left, resetUs, rest]).toEqual([2, WINDOW_US, []]);
    expect(await scores("rl:a")).toEqual([nowUs!]);
  });

  test("answers a refusal with the number that was admitted, negative, minus one", async () => {
    expect((await admit(["rl:a"], { wanted: [5] }))[1]).toBe(-4);
    expect((await admit(["rl:a"], { wanted: [5] }))[1]).toBe(-1);
    expect((await admit(["rl:b"], { wanted: [3] }))[1]).toBe(0);
    expect((await admit(["rl:b"]))[1]).toBe(-1);
  });

  test("writes nothing for a refused request, not even a later expiry", async () => {
    await presetAdmissions("rl:a", 50_000_000, 40_000_000, 30_000_000);
    await redis.pexpire("rl:a", 12_345);
    const before = await redis.dump("rl:a");
    for (let i = 0; i < 10; i++) expect((await admit(["rl:a"]))[1]).toBe(-1);
    expect(await redis.dump("rl:a")).toBe(before);
    expect(await redis.pttl("rl:a")).toBeLessThanOrEqual(12_345);
  });

  test("writes nothing when the deadline had passed", async () => {
    const deadlineUs = (await clockUs()) - 1;
    const reply = await callAdmit(["rl:a", "rl:b"], { deadlineUs });
    expect(reply).toEqual([expect.any(Number), 0]);
    expect(reply[0]).toBeGreaterThan(deadlineUs);
    expect(await redis.dbsize()).toBe(0);
  });

  test("names only those that ask more than once or were in their window before", async () => {
    await presetAdmissions("rl:old", 1_000_000);
    const keys = ["rl:a", "rl:old", "rl:b", "rl:many", "rl:a"];
    const [, ...named] = await callAdmit(keys, { wanted: [1, 1, 1, 4, 1] });
    const resetUs = expect.any(Number);
    expect(named).toEqual([2, 1, resetUs, 4, -4, WINDOW_US, 5, 1, resetUs]);
  });

  test("admits before its deadline", async () => {
    const deadlineUs = (await clockUs()) + 10_000_000;
    expect(await callAdmit(["rl:a"], { deadlineUs })).toEqual([expect.any(Number)]);
    expect(await redis.zcard("rl:a")).toBe(1);
  });

  test("keeps members apart that are admitted in the same microsecond", async () => {
    const [nowUs, left] = await admit(["rl:a"], { wanted: [100], max: 1_000 });
    expect(left).toBe(900);
    expect(await redis.zcard("rl:a")).toBe(100);
    expect(new Set(await scores("rl:a"))).toEqual(new Set([nowUs!]));
    const twice = await admit(["rl:b", "rl:b"], { wanted: [2, 3], max: 10 });
    expect([twice[1], twice[3]]).toEqual([8, 5]);
    expect(await redis.zcard("rl:b")).toBe(5);
  });

  test("gives clients that are new together the same, and each only its own", async () => {
    await presetAdmissions("rl:old", 1_000_000);
    await redis.set("rl:text", "text");
    const keys = ["rl:old", "rl:a", "rl:b", "rl:many", "rl:text", "rl:c", "rl:a", "rl:d", "rl:b"];
    const reply = await admit(keys, { wanted: [1, 1, 1, 2, 1, 1, 1, 1, 1] });
    expect(keys.map((_, i) => reply[2 * i + 1])).toEqual([1, 2, 2, 1, 2, 2, 1, 2, 1]);
    const resets = keys.slice(1).map((_, i) => reply[2 * i + 4]);
    expect(new Set(resets)).toEqual(new Set([WINDOW_US]));
    const admitted = { a: 2, b: 2, many: 2, text: 1, c: 1, d: 1 };
    for (const [client, count] of Object.entries(admitted)) {
      expect(await scores(`rl:${client}`)).toEqual(Array(count).fill(reply[0]!));
      expect(await redis.pttl(`rl:${client}`)).toBeWithin(1, 60_001);
    }
  });

  test("drops admissions that lie in the future, so that a clock set back blocks nobody", async () => {
    await presetAdmissions("rl:a", -3_600_000_000, -1_000_000, 1_000_000);
    const [nowUs, left, resetUs] = await admit(["rl:a"]);
    expect(left).toBe(1);
    expect(resetUs).toBeLessThanOrEqual(59_000_000);
    for (const score of await scores("rl:a")) expect(score).toBeLessThanOrEqual(nowUs!);
  });

  test("drops what left the window and keeps what is just inside", async () => {
    await presetAdmissions("rl:a", WINDOW_US + 1, WINDOW_US - 5_000_000);
    const [, left, resetUs] = await admit(["rl:a"]);
    expect(left).toBe(1);
    expect(resetUs).toBeGreaterThan(0);
    expect(resetUs).toBeLessThanOrEqual(5_000_000);
    expect(await redis.zcard("rl:a")).toBe(2);
  });

  test("leaves exactly one place at 60.2 s after admissions at 0, 1 and 55 s", async () => {
    await presetAdmissions("rl:a", 60_200_000, 59_200_000, 5_200_000);
    const [, left, resetUs] = await admit(["rl:a"], { wanted: [2] });
    expect(left).toBe(-2); // One of the two.
    expect(resetUs).toBeLessThanOrEqual(800_000);
    expect(resetUs).toBeGreaterThan(0);
  });

  test("expires each key, at the latest one window after the call", async () => {
    await presetAdmissions("rl:old", 1_000_000);
    await admit(["rl:a", "rl:b", "rl:old"], { wanted: [1, 9, 1] });
    await admit(["rl:short"], { windowUs: 1_500 });
    for (const key of ["rl:a", "rl:b", "rl:old"]) {
      const ttlMs = await redis.pttl(key);
      expect(ttlMs).toBeGreaterThan(0);
      expect(ttlMs).toBeLessThanOrEqual(60_000);
    }
    expect(await redis.pttl("rl:short")).toBeLessThanOrEqual(2); // Rounded up, or gone already.
  });

  test("refuses until enough have left where the limit was lowered", async () => {
    await presetAdmissions("rl:a", 50_000_000, 40_000_000, 30_000_000, 20_000_000);
    const [, left, resetUs] = await admit(["rl:a"], { max: 2 });
    expect(left).toBe(-1);
    expect(resetUs).toBeLessThanOrEqual(30_000_000);
    expect(resetUs).toBeGreaterThan(25_000_000);
  });

  test("keeps all 16 digits of a microsecond", async () => {
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const [nowUs] = await admit([`rl:${i}`]);
      expect(await scores(`rl:${i}`)).toEqual([nowUs!]);
      seen.add(nowUs! % 100);
    }
    expect(seen.size).toBeGreaterThan(5); // 14 digits would leave one.
  });
});

describe("restore.lua", () => {
  const restoreAsked = (askedUs: number, keys: string[], ...args: (string | number)[]) =>
    redis.eval(restoreSource, keys.length, ...keys, WINDOW_US, askedUs, ...args) as Promise<number>;
  const restore = (keys: string[], ...args: (string | number)[]) => restoreAsked(0, keys, ...args);

  test("puts admissions where they would have been, once", async () => {
    const nowUs = await clockUs();
    const args = [2, 10_000_000, "w.1", 20_000_000, "w.2", 1, 5_000_000, "w.3"];
    expect(await restore(["rl:a", "rl:b"], ...args)).toBe(3);
    expect(await restore(["rl:a", "rl:b"], ...args)).toBe(0);
    const [oldest, newest] = await scores("rl:a");
    expect(oldest! - (nowUs - 20_000_000)).toBeWithin(0, 5_000_000);
    expect(newest! - (nowUs - 10_000_000)).toBeWithin(0, 5_000_000);
    expect((await admit(["rl:a"]))[1]).toBe(0);
  });

  test("leaves out what is older than the window, and expires what it wrote", async () => {
    expect(await restore(["rl:a", "rl:b"], 1, WINDOW_US, "w.1", 1, 0, "w.2")).toBe(1);
    expect(await redis.exists("rl:a")).toBe(0);
    expect(await redis.pttl("rl:b")).toBeWithin(1, 60_001);
  });

  test("counts ages from when it was asked, however long the call waited", async () => {
    const askedUs = (await clockUs()) - 30_000_000;
    const args = [2, 10_000_000, "w.1", 30_000_000, "w.2"];
    expect(await restoreAsked(askedUs, ["rl:a"], ...args)).toBe(1);
    expect(await scores("rl:a")).toEqual([askedUs - 10_000_000]);
  });

  test("puts nothing into the future when the clock went back since", async () => {
    const nowUs = await clockUs();
    await restoreAsked(nowUs + 3_600_000_000, ["rl:a"], 1, 0, "w.1");
    expect((await scores("rl:a"))[0]! - nowUs).toBeWithin(0, 5_000_000);
  });
});

test("admit.lua takes the place of a key that is no sorted set, and admits the others", async () => {
  await redis.set("rl:b", "text");
  const reply = await admit(["rl:a", "rl:b", "rl:c"]);
  expect([reply[1], reply[3], reply[5]]).toEqual([2, 2, 2]);
  for (const key of ["rl:a", "rl:b", "rl:c"]) expect(await redis.zcard(key)).toBe(1);
});

describe("apply.lua", () => {
  /** What one supply's call says. */
  const change = (from: number, to: number, increments: Record<string, string | number> = {}) => [
    String(from),
    String(to),
    ...Object.entries(increments).flat().map(String),
  ];
  const apply = (keys: string[], ...changes: string[][]) =>
    Promise.all(keys.map((key, i) => redis.eval(applySource, 1, key, "offset:p", ...changes[i]!)));

  test("adds and moves the offset in one step, and answers with it as text", async () => {
    expect(await apply(["stats:{s}"], change(0, 2, { a: 2, b: 1 }))).toEqual(["2"]);
    expect(await redis.hgetall("stats:{s}")).toEqual({ a: "2", b: "1", "offset:p": "2" });
  });

  test("answers with the stored offset, ahead, behind and never seen", async () => {
    await apply(["stats:{s}"], change(0, 5, { a: 5 }));
    expect(await apply(["stats:{s}"], change(0, 5, { a: 5 }))).toEqual(["5"]);
    expect(await apply(["stats:{s}"], change(9, 12, { a: 3 }))).toEqual(["5"]);
    expect(await apply(["stats:{t}"], change(9, 12, { a: 3 }))).toEqual(["0"]);
    expect(await redis.hget("stats:{s}", "a")).toBe("5");
    expect(await redis.exists("stats:{t}")).toBe(0);
  });

  test("keeps offsets apart that a Lua number would round", async () => {
    await redis.hset("stats:{s}", "offset:p", "9007199254740993");
    const one = change(0, 0, { a: 1 }).with(0, "9007199254740992").with(1, "9007199254740994");
    expect(await apply(["stats:{s}"], one)).toEqual(["9007199254740993"]);
  });

  test("adds exactly beyond 2^53", async () => {
    await redis.hset("stats:{s}", "a", "9007199254740992");
    await apply(["stats:{s}"], change(0, 1, { a: 1 }));
    expect(await redis.hget("stats:{s}", "a")).toBe("9007199254740993");
  });

  test("answers !type for each kind of key that is not a hash, and leaves it alone", async () => {
    await redis.set("stats:{a}", "x");
    await redis.rpush("stats:{b}", "x");
    await redis.zadd("stats:{c}", 1, "x");
    const keys = ["stats:{a}", "stats:{b}", "stats:{c}"];
    const before = await Promise.all(keys.map((key) => redis.dump(key)));
    const changes = keys.map(() => change(0, 1, { a: 1 }));
    expect(await apply(keys, ...changes)).toEqual(["!type", "!type", "!type"]);
    expect(await Promise.all(keys.map((key) => redis.dump(key)))).toEqual(before);
  });

  test.each([
    "9223372036854775807",
    "-9223372036854775808",
    "1000000000000000000",
    "abc",
    "1.5",
    "1e5",
    "",
    " 1",
    "+1",
    "007",
    "-0",
    "-",
  ])("answers !overflow for a counter that holds %p, without a partial write", async (value) => {
    await redis.hset("stats:{s}", "bad", value);
    const keys = ["stats:{r}", "stats:{s}", "stats:{t}"];
    const reply = await apply(
      keys,
      change(0, 1, { a: 1 }),
      change(0, 1, { before: 1, bad: 1, after: 1 }),
      change(0, 1, { a: 1 }),
    );
    expect(reply).toEqual(["1", "!overflow", "1"]);
    expect(await redis.hgetall("stats:{s}")).toEqual({ bad: value });
    expect(await redis.hget("stats:{t}", "a")).toBe("1");
  });

  test("leaves counters without an expiry", async () => {
    await apply(["stats:{s}"], change(0, 1, { a: 1 }));
    expect(await redis.ttl("stats:{s}")).toBe(-1);
  });
});

test("no script touches a key that it was not given", async () => {
  await redis.set("other", "untouched");
  await admit(["rl:a"]);
  await redis.eval(restoreSource, 1, "rl:b", WINDOW_US, 0, 1, 5, "w.1");
  await redis.eval(applySource, 1, "stats:{s}", "offset:p", "0", "1", "a", "1");
  expect((await redis.keys("*")).sort()).toEqual(["other", "rl:a", "rl:b", "stats:{s}"]);
  expect(await redis.get("other")).toBe("untouched");
});

test("a script goes on after the server has dropped it", async () => {
  const script = createScript("return redis.call('INCR', KEYS[1])");
  expect(await script.run(redis, ["n"], [])).toBe(1);
  expect(await script.run(redis, ["n"], [])).toBe(2);
  await redis.script("FLUSH");
  expect(await script.run(redis, ["n"], [])).toBe(3);
  await server.restart();
  redis.disconnect();
  redis = new Redis(server.url);
  expect(await script.run(redis, ["n"], [])).toBe(1);
});

test("several calls leave in one write, each made once by a server that knows the script or not", async () => {
  const script = createScript("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  const calls = [
    { keys: ["n"], args: ["1"] },
    { keys: ["m"], args: ["5"] },
    { keys: ["n"], args: ["2"] },
  ];
  const run = () => script.runAll(redis, ["SADD", "listed", "n"], calls);
  expect(await run()).toEqual([1, 5, 3]);
  const write = spyOn(redis.stream, "write");
  expect(await run()).toEqual([4, 10, 6]);
  expect(write).toHaveBeenCalledTimes(1);
  await redis.script("FLUSH");
  expect(await run()).toEqual([7, 15, 9]);
  expect(await redis.smembers("listed")).toEqual(["n"]);
});

test("of several calls one that fails, or what goes ahead of them, fails them all", async () => {
  const script = createScript("return redis.call('INCR', KEYS[1])");
  await redis.set("word", "x");
  const run = (...keys: string[]) => {
    const calls = keys.map((key) => ({ keys: [key], args: [] }));
    return script.runAll(redis, ["SADD", "listed", "n"], calls).catch(String);
  };
  expect(await run("n", "word")).toContain("not an integer");
  await redis.set("listed", "no set");
  expect(await run("n")).toContain("WRONGTYPE");
});
