import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { openCounterFile } from "../../src/store/embedded/counters.ts";
import { answerStoreCall, createRemoteStore } from "../../src/store/embedded/remote.ts";
import { createEmbeddedStore } from "../../src/store/embedded/store.ts";
import { CounterError, type CounterStore, type SupplyIncrements } from "../../src/store/store.ts";
import { createFolder } from "../support/folder.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { openCounters } from "../support/redis-store.ts";

/** Counters that are there before the store opens: supply, field, digits. */
type Preset = readonly (readonly [supplyId: string, field: string, value: string])[];

interface Subject {
  open(preset?: Preset): Promise<CounterStore>;
  /** Closes what was opened and deletes what it held. */
  clean(): Promise<void>;
}

const MAX_2_53 = 2 ** 53 - 1;
/** Ids that break stores which build keys, patterns or plain objects out of them. */
const AWKWARD_IDS = [
  "__proto__",
  "constructor",
  "toString",
  "a:b",
  "offset:p",
  "{a}",
  "}{",
  "%s%d%00",
  "*?[a-z]",
  "';DROP",
  "supplies",
  "1",
  "-1",
  "x".repeat(64),
];

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

function openEmbedded(preset: Preset): CounterStore {
  const folder = createFolder();
  const path = folder.path("counters.sqlite");
  if (preset.length > 0) {
    openCounterFile(path).close();
    const file = new Database(path, { safeIntegers: true, strict: true });
    // Converted by the column: whole numbers become integers, the rest stays what it is.
    for (const row of preset) file.run("INSERT INTO counters VALUES (?, ?, ?)", [...row]);
    file.close();
  }
  const store = createEmbeddedStore(openCounterFile(path));
  closing.push(() => {
    store.close();
    folder[Symbol.dispose]();
  });
  return store;
}

async function closeAll() {
  for (const close of closing.splice(0)) close();
}

const subjects: Record<string, Subject> = {
  "the Redis store": {
    async open(preset = []) {
      for (const [supplyId, field, value] of preset) {
        await raw.hset(`stats:{${supplyId}}`, field, value);
        await raw.sadd("stats:supplies", supplyId);
      }
      const store = await openCounters(redis.url);
      closing.push(store.close);
      return store;
    },
    async clean() {
      await closeAll();
      await raw.flushall();
    },
  },
  "the embedded store": {
    open: async (preset = []) => openEmbedded(preset),
    clean: closeAll,
  },
  "the embedded store of another process": {
    async open(preset = []) {
      const store = openEmbedded(preset);
      const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));
      return createRemoteStore(async (name, argument) =>
        asJson(await answerStoreCall(store, name, asJson(argument))),
      );
    },
    clean: closeAll,
  },
};

const part = (
  supplyId: string,
  from: number,
  to: number,
  increments: Record<string, number> = {},
): SupplyIncrements => ({ supplyId, from, to, increments: new Map(Object.entries(increments)) });

async function readOne(store: CounterStore, supplyId: string): Promise<Record<string, string>> {
  return Object.fromEntries((await store.read([supplyId])).get(supplyId)!);
}

describe.each(Object.entries(subjects))("%s", (_name, { open, clean }) => {
  afterEach(clean);

  describe("apply", () => {
    test("adds where the stored offset is `from`, and moves it to `to`", async () => {
      const store = await open();
      expect(await store.apply("p", [part("s", 0, 2, { total_reqs: 2 })])).toEqual([2]);
      expect(await store.apply("p", [part("s", 2, 5, { total_reqs: 3, wins: 1 })])).toEqual([5]);
      expect(await readOne(store, "s")).toEqual({ total_reqs: "5", wins: "1", "offset:p": "5" });
    });

    test("counts a repeated call once and answers with the offset it has", async () => {
      const store = await open();
      const batch = [part("s", 0, 2, { total_reqs: 2 })];
      for (let i = 0; i < 3; i++) expect(await store.apply("p", batch)).toEqual([2]);
      expect(await readOne(store, "s")).toEqual({ total_reqs: "2", "offset:p": "2" });
    });

    test("counts a call once that is sent many times at once", async () => {
      const store = await open();
      const batch = [part("s", 0, 2, { total_reqs: 2 })];
      const replies = await Promise.all(Array.from({ length: 20 }, () => store.apply("p", batch)));
      expect(replies.flat()).toEqual(Array(20).fill(2));
      expect((await readOne(store, "s")).total_reqs).toBe("2");
    });

    test("answers with the stored offset, and writes nothing, where `from` is another", async () => {
      const store = await open();
      expect(await store.apply("p", [part("s", 7, 9, { total_reqs: 1 })])).toEqual([0]);
      expect(await readOne(store, "s")).toEqual({});
      await store.apply("p", [part("s", 0, 4, { total_reqs: 4 })]);
      const before = await readOne(store, "s");
      expect(await store.apply("p", [part("s", 3, 9, { total_reqs: 6 })])).toEqual([4]);
      expect(await store.apply("p", [part("s", 5, 9, { total_reqs: 4 })])).toEqual([4]);
      expect(await store.apply("p", [part("s", 0, 1, { total_reqs: 1 })])).toEqual([4]);
      expect(await readOne(store, "s")).toEqual(before);
    });

    test("answers a question without increments with the stored offset", async () => {
      const store = await open();
      expect(await store.apply("p", [part("s", 0, 0)])).toEqual([0]);
      await store.apply("p", [part("s", 0, 4, { total_reqs: 4 })]);
      expect(await store.apply("p", [part("s", 4, 4)])).toEqual([4]);
      expect(await store.apply("p", [part("s", 0, 0)])).toEqual([4]);
      expect((await readOne(store, "s")).total_reqs).toBe("4");
    });

    test("decides each supply of a batch by itself", async () => {
      const store = await open();
      await store.apply("p", [part("a", 0, 3, { total_reqs: 3 })]);
      const batch = [
        part("a", 0, 3, { total_reqs: 3 }),
        part("b", 0, 1, { total_reqs: 1 }),
        part("c", 2, 3, { total_reqs: 1 }),
      ];
      expect(await store.apply("p", batch)).toEqual([3, 1, 0]);
      expect((await readOne(store, "a")).total_reqs).toBe("3");
      expect((await readOne(store, "b")).total_reqs).toBe("1");
      expect((await readOne(store, "c")).total_reqs).toBeUndefined();
    });

    test("keeps producers apart and adds up what they count", async () => {
      const store = await open();
      for (const producer of ["p", "q", "__proto__"]) {
        expect(await store.apply(producer, [part("s", 0, 2, { total_reqs: 2 })])).toEqual([2]);
      }
      expect((await readOne(store, "s")).total_reqs).toBe("6");
    });

    test("answers an empty batch", async () => {
      const store = await open();
      expect(await store.apply("p", [])).toEqual([]);
    });

    test("stays exact beyond 2^53 and beyond 32 bits", async () => {
      const store = await open([
        ["s", "one", "9007199254740992"],
        ["s", "billions", "9007199254740993"],
        ["s", "largest", "100000000000000001"],
      ]);
      const increments = { one: 1, billions: 5_000_000_001, largest: MAX_2_53 };
      expect(await store.apply("p", [part("s", 0, 5_000_000_003, increments)])).toEqual([
        5_000_000_003,
      ]);
      expect(await readOne(store, "s")).toEqual({
        one: "9007199254740993",
        billions: String(9007199254740993n + 5_000_000_001n),
        largest: String(100000000000000001n + BigInt(MAX_2_53)),
        "offset:p": "5000000003",
      });
    });

    test("refuses a counter that is full, without a partial write", async () => {
      const store = await open([["s", "full", "9223372036854775807"]]);
      const [reply] = await store.apply("p", [part("s", 0, 1, { before: 1, full: 1, after: 1 })]);
      expect(reply).toBeInstanceOf(CounterError);
      expect((reply as Error).message).toContain("s");
      expect(await readOne(store, "s")).toEqual({ full: "9223372036854775807" });
    });

    test("counts up to 18 digits and refuses from the 19th on", async () => {
      const store = await open([["s", "f", "999999999999999999"]]);
      expect(await store.apply("p", [part("s", 0, 1, { f: 1 })])).toEqual([1]);
      expect((await readOne(store, "s")).f).toBe("1000000000000000000");
      expect(await store.apply("p", [part("s", 1, 2, { f: 1 })])).toEqual([
        expect.any(CounterError),
      ]);
      expect(await readOne(store, "s")).toEqual({ f: "1000000000000000000", "offset:p": "1" });
    });

    test("refuses a counter that holds no number, without a partial write", async () => {
      const store = await open([["s", "text", "abc"]]);
      const [reply] = await store.apply("p", [part("s", 0, 1, { before: 1, text: 1, after: 1 })]);
      expect(reply).toBeInstanceOf(CounterError);
      expect(await readOne(store, "s")).toEqual({ text: "abc" });
    });

    test("applies the neighbours of a refused supply, in a batch of any length", async () => {
      const store = await open([["s17", "total_reqs", "9223372036854775807"]]);
      const ids = Array.from({ length: 40 }, (_, i) => `s${i}`);
      const replies = await store.apply(
        "p",
        ids.map((id, i) => part(id, 0, i + 1, { total_reqs: i + 1 })),
      );
      expect(replies).toEqual(ids.map((_, i) => (i === 17 ? expect.any(CounterError) : i + 1)));
      const counters = await store.read(ids);
      expect(ids.map((id) => counters.get(id)!.get("total_reqs"))).toEqual(
        ids.map((_, i) => (i === 17 ? "9223372036854775807" : String(i + 1))),
      );
    });

    test("applies a refused supply once its counter is whole again", async () => {
      const store = await open([["s", "f", "9223372036854775807"]]);
      await store.apply("p", [part("s", 0, 1, { f: 1 })]);
      expect(await store.apply("p", [part("s", 0, 1, { g: 1 })])).toEqual([1]);
      expect((await readOne(store, "s")).g).toBe("1");
    });

    test("keeps supplies, fields and producers with awkward names apart", async () => {
      const store = await open();
      for (const producer of AWKWARD_IDS) {
        const batch = AWKWARD_IDS.map((id, i) =>
          part(id, 0, i + 1, { [`bidder:${producer}:wins`]: i + 1, [`bidder:${id}:no_bids`]: 1 }),
        );
        expect(await store.apply(producer, batch)).toEqual(AWKWARD_IDS.map((_, i) => i + 1));
      }
      const counters = await store.read();
      expect([...counters.keys()].sort()).toEqual([...AWKWARD_IDS].sort());
      AWKWARD_IDS.forEach((id, i) => {
        const fields = counters.get(id)!;
        for (const producer of AWKWARD_IDS) {
          expect(fields.get(`bidder:${producer}:wins`)).toBe(String(i + 1));
          expect(fields.get(`offset:${producer}`)).toBe(String(i + 1));
        }
        expect(fields.get(`bidder:${id}:no_bids`)).toBe(String(AWKWARD_IDS.length));
        expect(fields.size).toBe(2 * AWKWARD_IDS.length + 1);
      });
    });

    test("keeps a field that is named like an object's own member", async () => {
      const store = await open();
      await store.apply("p", [
        { supplyId: "s", from: 0, to: 1, increments: new Map([["__proto__", 2]]) },
      ]);
      expect((await store.read(["s"])).get("s")!.get("__proto__")).toBe("2");
    });
  });

  describe("read", () => {
    test("gives every supply that was counted, or those that are named", async () => {
      const store = await open();
      expect(await store.read()).toEqual(new Map());
      await store.apply("p", [part("a", 0, 1, { total_reqs: 1 }), part("b", 0, 2, { f: 2 })]);
      const a = new Map([
        ["total_reqs", "1"],
        ["offset:p", "1"],
      ]);
      const b = new Map([
        ["f", "2"],
        ["offset:p", "2"],
      ]);
      const all = await store.read();
      expect(new Map([...all].sort())).toEqual(
        new Map([
          ["a", a],
          ["b", b],
        ]),
      );
      expect(await store.read(["b"])).toEqual(new Map([["b", b]]));
      expect(await store.read([])).toEqual(new Map());
    });

    test("gives what was counted first since the last time", async () => {
      const store = await open();
      for (const id of ["a", "b", "c"]) {
        await store.apply("p", [part(id, 0, 1, { total_reqs: 1 })]);
        const all = await store.read();
        expect(all.get(id)!.get("total_reqs")).toBe("1");
      }
      expect([...(await store.read()).keys()].sort()).toEqual(["a", "b", "c"]);
    });

    test("gives no counters for a supply that was never counted", async () => {
      const store = await open();
      expect(await store.read(["nobody"])).toEqual(new Map([["nobody", new Map()]]));
      expect(await store.read()).toEqual(new Map());
    });

    test("gives more supplies than one round trip holds", async () => {
      const store = await open();
      const ids = Array.from({ length: 1_201 }, (_, i) => `s${i}`);
      await store.apply(
        "p",
        ids.map((id) => part(id, 0, 1, { total_reqs: 1 })),
      );
      const counters = await store.read();
      expect(counters.size).toBe(ids.length);
      for (const id of ids) expect(counters.get(id)!.get("total_reqs")).toBe("1");
    });
  });

  describe("forget", () => {
    test("drops the offsets of one producer and keeps all that was counted", async () => {
      const store = await open();
      for (const producer of ["p", "q"]) {
        await store.apply(producer, [
          part("a", 0, 1, { total_reqs: 1 }),
          part("b", 0, 1, { total_reqs: 1 }),
        ]);
      }
      await store.forget("p", ["a", "b", "nobody"]);
      expect(await readOne(store, "a")).toEqual({ total_reqs: "2", "offset:q": "1" });
      expect(await readOne(store, "b")).toEqual({ total_reqs: "2", "offset:q": "1" });
      expect((await store.read()).has("nobody")).toBe(false);
    });

    test("may be repeated, and may name nothing", async () => {
      const store = await open();
      await store.apply("p", [part("a", 0, 1, { total_reqs: 1 })]);
      await store.forget("p", []);
      expect(await readOne(store, "a")).toEqual({ total_reqs: "1", "offset:p": "1" });
      for (let i = 0; i < 2; i++) await store.forget("p", ["a"]);
      expect(await readOne(store, "a")).toEqual({ total_reqs: "1" });
    });
  });

  test("answers a ping", async () => {
    const store = await open();
    expect(await store.ping()).toBeUndefined();
  });
});
