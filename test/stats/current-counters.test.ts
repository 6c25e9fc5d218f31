import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createCurrentCounters } from "../../src/stats/current-counters.ts";
import { createJournalCounter, type JournalCounter } from "../../src/stats/journal-counter.ts";
import type { AuctionOutcome } from "../../src/stats/outcome.ts";
import { offsetField } from "../../src/store/counters.ts";
import type { Counters } from "../../src/store/store.ts";
import {
  anyOutcome,
  type Counted,
  copyOf,
  countByHand,
  type JournalInMemory,
  journalInMemory,
  outcomeOf,
  supplyOf,
} from "../support/auctions.ts";
import { createScriptedStore } from "../support/scripted-store.ts";

const one = outcomeOf(supplyOf("s", ["b1"]));
const other = outcomeOf(supplyOf("other", ["b1"]));

interface Producer {
  readonly journal: JournalInMemory;
  readonly counter: JournalCounter;
}

/** Some producers, one store, and what a process that belongs to none of them reads. */
function createHost(names: readonly string[] = ["p", "q"], ringWords?: number) {
  const store = createScriptedStore();
  const outcomes: AuctionOutcome[] = [];
  const producers = new Map<string, Producer>();
  const journals = new Set<JournalInMemory>();
  /** What the other processes were asked to do. */
  const asked: string[] = [];
  for (const name of names) addProducer(name);

  function addProducer(name: string): void {
    const journal = journalInMemory(ringWords);
    const counter = createJournalCounter({
      journal,
      producer: name,
      apply: store.apply,
      onLost: () => {},
      onWentBack: () => {},
      onRefused: () => {},
    });
    journals.add(journal);
    producers.set(name, { journal, counter });
  }

  function record(name: string, ...more: AuctionOutcome[]): void {
    for (const outcome of more) producers.get(name)!.journal.append(outcome);
    outcomes.push(...more);
  }

  async function count(name: string): Promise<void> {
    const { journal, counter } = producers.get(name)!;
    await counter.countUpTo(journal.committed());
    journal.tellCounted(counter.counted());
  }

  const host = {
    /** Whether journals can be copied. */
    isCopyable: true,
    /** What a read waits for on its way to the store. */
    wayToStore: Promise.resolve(),
    /** Keeps reads from the store until what it returns is called. */
    holdReads(): () => void {
      const way = Promise.withResolvers<void>();
      host.wayToStore = way.promise;
      return way.resolve;
    },
    nowMs: 1_000,
    async countAll(isStoreBack: boolean): Promise<void> {
      for (const [name, { counter }] of producers) {
        if (isStoreBack) counter.recheck();
        await count(name);
      }
    },
  };
  const { read, doubt } = createCurrentCounters({
    journals: {
      producers: () => [...producers.keys()],
      copy: (name) =>
        copyOf(producers.get(name)!.journal, () => {
          if (!host.isCopyable) throw new Error("too many names");
        }),
    },
    store: {
      async read(supplyIds) {
        await host.wayToStore;
        return store.read(supplyIds);
      },
    },
    countAll(isStoreBack) {
      asked.push(isStoreBack ? "recheck" : "count");
      return host.countAll(isStoreBack);
    },
    now: () => host.nowMs,
  });
  const dispose = () => {
    for (const journal of journals) journal[Symbol.dispose]();
  };
  const figures = { store, producers, outcomes, asked };
  return { ...figures, record, count, read, doubt, host, [Symbol.dispose]: dispose };
}

/** Without offsets, and without what is 0. */
function withoutOffsets(counters: ReadonlyMap<string, Counters>): Counted {
  const own = ([field]: [string, string]) => !field.startsWith(offsetField(""));
  const counted = [...counters].map(
    ([id, fields]) =>
      [id, new Map([...fields].filter(own).map(([f, value]) => [f, BigInt(value)]))] as const,
  );
  return new Map(counted.filter(([, fields]) => fields.size > 0));
}

const totalOf = async (counters: Promise<ReadonlyMap<string, Counters>>, supplyId = "s") =>
  Number((await counters).get(supplyId)?.get("total_reqs") ?? 0);

/** A host whose producers have counted one auction of each supply, and whose counters were read. */
async function createWarmHost() {
  const setup = createHost();
  for (const name of setup.producers.keys()) {
    setup.record(name, one, other);
    await setup.count(name);
  }
  await setup.read();
  return setup;
}

describe("what is recorded and not counted yet", () => {
  test("is in each answer, without a word to the producers, who count it", async () => {
    using setup = createHost();
    const { record, read, count, asked, store, outcomes } = setup;
    record("p", one, one, other);
    record("q", one);
    for (let i = 0; i < 2; i++) {
      expect(withoutOffsets(await read())).toEqual(countByHand(outcomes));
    }
    expect(store.counted()).toEqual(new Map());
    for (const name of ["p", "q"]) await count(name);
    record("q", other);
    expect(withoutOffsets(await read())).toEqual(countByHand(outcomes));
    expect(asked).toEqual([]);
  });

  test("is in the answer once while its producer counts it", async () => {
    using warm = await createWarmHost();
    const { record, read, count, host, outcomes } = warm;
    record("p", one, one);
    const counting = count("p"); // On its way when the journals are looked at.
    const letReadsGo = host.holdReads();
    const reading = read();
    await counting;
    letReadsGo();
    expect(withoutOffsets(await reading)).toEqual(countByHand(outcomes));
  });

  test("is what it is by hand, whatever was counted by then", async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.tuple(fc.constantFrom("p", "q", "r"), anyOutcome) },
        { weight: 1, arbitrary: fc.constantFrom("p", "q", "r") },
        { weight: 1, arbitrary: fc.constant("read") },
      ),
      { maxLength: 120 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (ops) => {
        using setup = createHost(["p", "q", "r"]);
        const { record, count, read, asked, outcomes } = setup;
        for (const op of ops) {
          if (Array.isArray(op)) record(...op);
          else if (op !== "read") await count(op);
          else expect(withoutOffsets(await read())).toEqual(countByHand(outcomes));
        }
        expect(asked).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test("of one supply is added to that one alone", async () => {
    using warm = await createWarmHost();
    const { record, read } = warm;
    record("p", one, other);
    const counters = await read(["s"]);
    expect([...counters.keys()]).toEqual(["s"]);
    expect(await totalOf(Promise.resolve(counters))).toBe(3);
  });

  test("adds to counters beyond 2^53, exactly", async () => {
    using warm = await createWarmHost();
    const { record, read, store } = warm;
    const large = 2n ** 60n + 1n;
    store.goBackTo(
      new Map([
        [
          "s",
          new Map([
            ["total_reqs", large],
            [offsetField("p"), 1n],
          ]),
        ],
      ]),
    );
    record("p", one);
    const counters = await read(["s"]);
    expect(counters.get("s")!.get("total_reqs")).toBe(`${large + 1n}`);
  });
});

describe("the producers are asked", () => {
  test("again for what the store lost after it was counted", async () => {
    using warm = await createWarmHost();
    const { record, read, count, asked, store, outcomes } = warm;
    const before = store.snapshot();
    record("p", one, one);
    await count("p");
    expect(await totalOf(read())).toBe(4);
    store.goBackTo(before);
    expect(withoutOffsets(await read())).toEqual(countByHand(outcomes));
    expect(asked).toEqual(["count", "recheck"]);
    store.goBackTo(before);
    record("p", one); // Not counted yet: it does not follow what the store holds.
    expect(withoutOffsets(await read())).toEqual(countByHand(outcomes));
    expect(asked).toEqual(["count", "recheck", "count"]);
  });

  test("also where as much was recorded meanwhile as the store lost", async () => {
    using warm = await createWarmHost();
    const { record, read, count, asked, store, host, outcomes } = warm;
    const before = store.snapshot();
    record("p", one, one);
    await count("p");
    store.goBackTo(before);
    const letReadsGo = host.holdReads();
    const reading = read(); // Has looked at the journals, and not reached the store.
    record("p", other, other);
    letReadsGo();
    expect(withoutOffsets(await reading)).toEqual(countByHand(outcomes));
    expect(asked).toEqual(["count", "recheck"]);
  });

  test("when more is missing than is added up at once", async () => {
    using setup = createHost(["p"], 2 ** 17);
    const { record, count, read, asked } = setup;
    record("p", one);
    await count("p");
    for (let i = 0; i < 11_000; i++) record("p", one);
    expect(await totalOf(read())).toBe(11_001);
    expect(asked).toEqual(["count"]);
  });

  test("for all that the store confirmed after it was away, also for one supply", async () => {
    using warm = await createWarmHost();
    const { record, read, count, doubt, asked, store } = warm;
    const before = store.snapshot();
    record("p", one, one);
    await count("p");
    store.goBackTo(before);
    doubt();
    expect(await totalOf(read(["s"]))).toBe(4);
    expect(await totalOf(read(["s"]))).toBe(4);
    expect(asked).toEqual(["recheck"]);
  });

  test("and there is no answer from a store that went away while it was read", async () => {
    using warm = await createWarmHost();
    const { record, read, count, doubt, store, host } = warm;
    const before = store.snapshot();
    record("p", one, one);
    await count("p");
    const letReadsGo = host.holdReads();
    const reading = read(["s"]);
    store.goBackTo(before);
    doubt();
    letReadsGo();
    await expect(reading).rejects.toThrow("the store lacks what it confirmed");
    expect(await totalOf(read(["s"]))).toBe(4);
  });

  test("when a journal cannot be copied, and then the store alone", async () => {
    using setup = createHost();
    const { record, read, asked, host } = setup;
    host.isCopyable = false;
    record("p", one);
    expect(await totalOf(read())).toBe(1);
    expect(asked).toEqual(["count"]);
    host.isCopyable = true;
    const letReadsGo = host.holdReads();
    const reading = read(); // Has looked at the journals, and not reached the store.
    host.isCopyable = false;
    record("p", one);
    letReadsGo();
    expect(await totalOf(reading)).toBe(2);
    expect(asked).toEqual(["count", "count"]);
  });

  test("and when they cannot count, there is no answer", async () => {
    using warm = await createWarmHost();
    const { read, store, host } = warm;
    store.goBackTo(new Map());
    host.countAll = () => Promise.reject(new Error("worker 2 hangs"));
    await expect(read()).rejects.toThrow("worker 2 hangs");
    host.countAll = async () => {
      host.nowMs += 1_501;
    };
    await expect(read()).rejects.toThrow("the store lacks auctions");
  });

  test("once for what is lost for good: the answer is what is left", async () => {
    using warm = await createWarmHost();
    const { record, read, store, asked, producers } = warm;
    for (const { journal } of producers.values()) journal.release(journal.committed());
    store.goBackTo(new Map());
    record("p", one);
    expect(await totalOf(read())).toBe(1);
    expect(asked).toEqual(["count", "recheck"]);
    record("p", one);
    expect(await totalOf(read())).toBe(2);
    expect(asked).toEqual(["count", "recheck"]);
  });
});

describe("a producer that is gone", () => {
  test("is in the answer while its journal is there", async () => {
    using warm = await createWarmHost();
    const { record, read } = warm;
    record("q", one);
    expect(await totalOf(read())).toBe(3);
  });

  test("is neither missed nor counted again once its offsets are dropped", async () => {
    using warm = await createWarmHost();
    const { record, read, count, store, producers, asked, host } = warm;
    record("q", one);
    const letReadsGo = host.holdReads();
    const reading = read(); // Has looked at its journal, and not reached the store.
    await count("q");
    producers.delete("q");
    await store.forget("q", ["s", "other"]);
    letReadsGo();
    expect(await totalOf(reading)).toBe(3);
    expect(await totalOf(read())).toBe(3);
    expect(asked).toEqual([]);
  });
});

test("a journal in which nothing was recorded yet is passed over", async () => {
  const { store } = createHost([]);
  const { read } = createCurrentCounters({
    journals: { producers: () => ["new"], copy: () => undefined },
    store,
    countAll: () => Promise.reject(new Error("asked")),
  });
  expect(await read()).toEqual(new Map());
});
