import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createJournalCounter, type JournalCounter } from "../../src/stats/journal-counter.ts";
import type { AuctionOutcome } from "../../src/stats/outcome.ts";
import type { Journal } from "../../src/stats/ring.ts";
import {
  anyOutcome,
  type Counted,
  countByHand,
  journalInMemory,
  outcomeOf,
  supplyOf,
} from "../support/auctions.ts";
import { createScriptedStore, type Fate, type ScriptedStore } from "../support/scripted-store.ts";

const PRODUCER = "p";
const a = supplyOf("a", ["b1"]);
const b = supplyOf("b", ["b1"]);

interface Bench extends Disposable {
  journal: Journal;
  counter: JournalCounter;
  store: ScriptedStore;
  outcomes: AuctionOutcome[];
  /** Records reported as lost, by supply. */
  lost: Map<string, number>;
  counts: { wentBack: number };
  refused: string[];
  record(...outcomes: AuctionOutcome[]): void;
  /** Counts all that is recorded; false when that failed. */
  count(...fates: Fate[]): Promise<boolean>;
  /** A second reader of the same journal, as after the death of the first. */
  readAgain(): JournalCounter;
}

function createBench(): Bench {
  const journal = journalInMemory();
  const store = createScriptedStore();
  const lost = new Map<string, number>();
  const refused: string[] = [];
  const counts = { wentBack: 0 };
  const outcomes: AuctionOutcome[] = [];
  const readAgain = () =>
    createJournalCounter({
      journal,
      producer: PRODUCER,
      apply: store.apply,
      onWentBack: () => void counts.wentBack++,
      onLost(losses) {
        for (const [id, records] of losses) lost.set(id, (lost.get(id) ?? 0) + records);
      },
      onRefused: (supplyId) => refused.push(supplyId),
    });
  const counter = readAgain();
  return {
    journal,
    counter,
    store,
    outcomes,
    lost,
    counts,
    refused,
    readAgain,
    record(...more) {
      for (const outcome of more) {
        journal.append(outcome);
        outcomes.push(outcome);
      }
    },
    async count(...fates) {
      store.fates.push(...fates);
      return counter.countUpTo(journal.committed()).then(
        () => true,
        () => false,
      );
    },
    [Symbol.dispose]: journal[Symbol.dispose],
  };
}

const times = (count: number, supply = a) => Array.from({ length: count }, () => outcomeOf(supply));
const totalOf = (store: ScriptedStore, supplyId = "a") =>
  store.counted().get(supplyId)?.get("total_reqs") ?? 0n;

describe("with a healthy store", () => {
  test("counts each record once, in one call for all supplies", async () => {
    using bench = createBench();
    const { store, counter, journal } = bench;
    bench.record(...times(3), ...times(2, b));
    await counter.countUpTo(journal.committed());
    bench.record(...times(1));
    await counter.countUpTo(journal.committed());
    await counter.countUpTo(journal.committed());
    expect(store.counted()).toEqual(countByHand(bench.outcomes));
    expect(store.calls.map((call) => call.map(({ supplyId, to }) => [supplyId, to]))).toEqual([
      [
        ["a", 3],
        ["b", 2],
      ],
      [["a", 4]],
    ]);
    expect(counter.counted()).toBe(journal.committed());
  });

  test("counts up to a position and no further", async () => {
    using bench = createBench();
    const { store, counter, journal } = bench;
    bench.record(...times(2));
    const middle = journal.committed();
    bench.record(...times(3));
    await counter.countUpTo(middle);
    expect(totalOf(store)).toBe(2n);
    expect(counter.counted()).toBe(middle);
    await counter.countUpTo(0);
    expect(store.calls).toHaveLength(1);
  });

  test("asks nothing when there is nothing to count", async () => {
    using bench = createBench();
    await bench.counter.countUpTo(0);
    bench.counter.recheck();
    await bench.counter.countUpTo(0);
    expect(bench.store.calls).toEqual([]);
  });
});

describe("without an answer", () => {
  test("counts once what was applied and not answered", async () => {
    using bench = createBench();
    bench.record(...times(3));
    expect(await bench.count("lost")).toBe(false);
    expect(bench.counter.counted()).toBe(0);
    bench.record(...times(2));
    expect(await bench.count("lost")).toBe(false);
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(5n);
    expect(bench.lost.size).toBe(0);
  });

  test("counts once what was not applied", async () => {
    using bench = createBench();
    bench.record(...times(3));
    expect(await bench.count("unsent")).toBe(false);
    bench.record(...times(2));
    expect(await bench.count("unsent")).toBe(false);
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(5n);
  });

  test("counts once what is applied long after it was given up", async () => {
    using bench = createBench();
    bench.record(...times(3));
    expect(await bench.count("late")).toBe(false);
    bench.record(...times(2));
    expect(await bench.count("late")).toBe(false);
    expect(await bench.count()).toBe(true);
    bench.store.deliverLate();
    bench.record(...times(1));
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(6n);
  });

  test("goes on from a late one that comes between the retries", async () => {
    using bench = createBench();
    bench.record(...times(3));
    await bench.count("late");
    bench.record(...times(2));
    await bench.count("unsent");
    bench.store.deliverLate();
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(5n);
  });
});

describe("with a store that goes back", () => {
  test("counts again what is kept", async () => {
    using bench = createBench();
    bench.record(...times(2), ...times(2, b));
    await bench.count();
    const snapshot = bench.store.snapshot();
    bench.record(...times(3), ...times(1, b));
    await bench.count();
    bench.store.goBackTo(snapshot);
    bench.record(...times(1));
    expect(await bench.count()).toBe(true);
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
    expect(bench.counter.timesBack()).toBeGreaterThan(0);
    expect(bench.lost.size).toBe(0);
  });

  test("tells so once a batch, whether or not all of it is kept", async () => {
    using bench = createBench();
    bench.record(...times(2), ...times(2, b));
    await bench.count();
    expect(bench.counts.wentBack).toBe(0);
    bench.store.goBackTo(new Map());
    bench.counter.recheck();
    await bench.count();
    expect([bench.counts.wentBack, bench.lost.size]).toEqual([1, 0]);

    bench.journal.release(bench.journal.committed());
    bench.store.goBackTo(new Map());
    bench.counter.recheck();
    await bench.count();
    expect(bench.counts.wentBack).toBeGreaterThan(1);
    expect([...bench.lost]).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
  });

  test("counts again, when told to ask, supplies that have no new records", async () => {
    using bench = createBench();
    bench.record(...times(2), ...times(2, b));
    await bench.count();
    bench.store.goBackTo(new Map());
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(0n);
    bench.counter.recheck();
    expect(bench.counter.isSure()).toBe(false);
    expect(await bench.count()).toBe(true);
    expect(bench.counter.isSure()).toBe(true);
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
  });

  test("asks, before some records are given back, about their supplies alone", async () => {
    using bench = createBench();
    bench.record(...times(2));
    const below = bench.journal.committed();
    bench.record(...times(2, b));
    await bench.count();
    bench.counter.recheckBelow(below);
    expect(await bench.count()).toBe(true);
    expect(bench.store.calls.at(-1)!.map(({ supplyId }) => supplyId)).toEqual(["a"]);
    bench.store.goBackTo(new Map());
    bench.counter.recheckBelow(below);
    expect(bench.counter.isSure()).toBe(false);
    expect(await bench.count()).toBe(true); // One that went back has all asked.
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
  });

  test("asks again until it is answered", async () => {
    using bench = createBench();
    bench.record(...times(2));
    await bench.count();
    bench.store.goBackTo(new Map());
    bench.counter.recheck();
    for (const fate of ["unsent", "lost", "late"] as const) {
      expect(await bench.count(fate)).toBe(false);
      expect(bench.counter.isSure()).toBe(false);
    }
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(2n);
  });

  test("heeds a recheck that is asked for while one is running", async () => {
    using bench = createBench();
    bench.record(...times(2), ...times(1, b));
    await bench.count();
    bench.counter.recheck();
    bench.store.beforeReply = () => {
      bench.store.goBackTo(new Map());
      bench.counter.recheck();
    };
    expect(await bench.count()).toBe(true);
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
  });

  test("rechecks without harm, as often as it is asked to", async () => {
    using bench = createBench();
    bench.record(...times(5), ...times(2, b));
    await bench.count();
    bench.journal.release(bench.counter.counted());
    bench.record(...times(1));
    for (let i = 0; i < 10; i++) {
      bench.counter.recheck();
      expect(await bench.count()).toBe(true);
    }
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
    expect(bench.lost.size).toBe(0);
    expect(bench.counter.timesBack()).toBe(0);
  });

  test("tells exactly how many records are kept nowhere", async () => {
    using bench = createBench();
    bench.record(...times(2), ...times(4, b));
    await bench.count();
    const snapshot = bench.store.snapshot();
    bench.record(...times(5), ...times(1, b));
    await bench.count();
    bench.journal.release(bench.counter.counted());
    bench.record(...times(3));
    await bench.count();
    bench.store.goBackTo(snapshot);
    bench.counter.recheck();
    expect(await bench.count()).toBe(true);
    expect(bench.lost).toEqual(
      new Map([
        ["a", 5],
        ["b", 1],
      ]),
    );
    expect(totalOf(bench.store)).toBe(5n);
    expect(totalOf(bench.store, "b")).toBe(4n);
    // It goes on from there, and tells it once.
    bench.record(...times(1), ...times(1, b));
    bench.counter.recheck();
    expect(await bench.count()).toBe(true);
    expect([totalOf(bench.store), totalOf(bench.store, "b")]).toEqual([6n, 5n]);
    expect(bench.lost.get("a")).toBe(5);
  });

  test("tells of a store that was emptied, beyond what is kept", async () => {
    using bench = createBench();
    bench.record(...times(10));
    await bench.count();
    bench.journal.release(bench.counter.counted());
    bench.store.goBackTo(new Map());
    bench.record(...times(2));
    expect(await bench.count()).toBe(true);
    expect(bench.lost).toEqual(new Map([["a", 10]]));
    expect(totalOf(bench.store)).toBe(2n);
  });

  test("tells of lost records also when the reply to going on without them was lost", async () => {
    using bench = createBench();
    bench.record(...times(10));
    await bench.count();
    bench.journal.release(bench.counter.counted());
    bench.store.goBackTo(new Map());
    bench.record(...times(1));
    expect(await bench.count("answered", "lost")).toBe(false);
    bench.record(...times(1));
    expect(await bench.count()).toBe(true);
    expect(totalOf(bench.store)).toBe(2n);
    expect(bench.lost).toEqual(new Map([["a", 10]]));
  });

  test("tells of records once that are lost twice", async () => {
    using bench = createBench();
    bench.record(...times(10));
    await bench.count();
    bench.journal.release(bench.counter.counted());
    for (let i = 0; i < 2; i++) {
      bench.store.goBackTo(new Map());
      bench.counter.recheck();
      expect(await bench.count()).toBe(true);
    }
    expect(bench.lost).toEqual(new Map([["a", 10]]));
  });
});

test("tells each record once when losses overlap", async () => {
  using bench = createBench();
  const snapshots: Counted[] = [];
  for (const count of [5, 2, 3]) {
    snapshots.push(bench.store.snapshot());
    bench.record(...times(count));
    await bench.count();
  }
  const [atNone, atFive, atSeven] = snapshots;
  const lostAfter = async (snapshot: Counted) => {
    bench.journal.release(bench.counter.counted());
    bench.store.goBackTo(snapshot);
    bench.counter.recheck();
    expect(await bench.count()).toBe(true);
    return bench.lost.get("a");
  };
  expect(await lostAfter(atFive!)).toBe(5); // 6 to 10.
  bench.record(...times(10));
  await bench.count();
  expect(await lostAfter(atSeven!)).toBe(15); // 11 to 20 as well.
  expect(await lostAfter(atNone!)).toBe(20); // 1 to 5 as well.
});

describe("a second reader", () => {
  test("goes on where the first one came to", async () => {
    using bench = createBench();
    bench.record(...times(3), ...times(1, b));
    await bench.count();
    bench.record(...times(2));
    const second = bench.readAgain();
    await second.countUpTo(bench.journal.committed());
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
    expect(bench.counter.timesBack()).toBe(0);
  });

  test("takes nothing as lost that was counted and released", async () => {
    for (const after of [0, 2]) {
      using bench = createBench();
      bench.record(...times(10));
      await bench.count();
      bench.journal.release(bench.counter.counted());
      bench.record(...times(3));
      if (after === 0) await bench.count();
      const second = bench.readAgain();
      second.recheck();
      await second.countUpTo(bench.journal.committed());
      expect(bench.lost.size).toBe(0);
      expect(totalOf(bench.store)).toBe(13n);
    }
  });

  test("tells of what was released when the store was emptied", async () => {
    using bench = createBench();
    bench.record(...times(10));
    await bench.count();
    bench.journal.release(bench.counter.counted());
    bench.record(...times(3));
    bench.store.goBackTo(new Map());
    const second = bench.readAgain();
    await second.countUpTo(bench.journal.committed());
    expect(bench.lost).toEqual(new Map([["a", 10]]));
    expect(totalOf(bench.store)).toBe(3n);
  });

  test("may count at the same time as late bytes of the first", async () => {
    using bench = createBench();
    bench.record(...times(5));
    expect(await bench.count("late")).toBe(false);
    bench.record(...times(2));
    const second = bench.readAgain();
    await second.countUpTo(bench.journal.committed());
    bench.store.deliverLate();
    second.recheck();
    await second.countUpTo(bench.journal.committed());
    expect(totalOf(bench.store)).toBe(7n);
  });
});

describe("a supply that is refused", () => {
  test("does not stop the others, and is counted once it is whole", async () => {
    using bench = createBench();
    bench.store.poisoned.add("a");
    bench.record(...times(2), ...times(3, b));
    expect(await bench.count()).toBe(false);
    expect(bench.refused).toEqual(["a"]);
    expect(totalOf(bench.store, "b")).toBe(3n);
    bench.record(...times(1), ...times(1, b));
    expect(await bench.count()).toBe(false);
    expect(totalOf(bench.store, "b")).toBe(4n);
    expect(bench.counter.counted()).toBe(0); // Its records must not be released.
    bench.store.poisoned.clear();
    expect(await bench.count()).toBe(true);
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
  });

  test("is told once, and again when it is refused after it was taken", async () => {
    using bench = createBench();
    bench.record(...times(1));
    bench.store.poisoned.add("a");
    for (let attempt = 0; attempt < 3; attempt++) await bench.count();
    expect(bench.refused).toEqual(["a"]);
    bench.store.poisoned.clear();
    expect(await bench.count()).toBe(true);
    bench.record(...times(1));
    bench.store.poisoned.add("a");
    for (let attempt = 0; attempt < 3; attempt++) await bench.count();
    expect(bench.refused).toEqual(["a", "a"]);
  });

  test("does not stop another that went back", async () => {
    using bench = createBench();
    bench.record(...times(2), ...times(3, b));
    await bench.count();
    bench.store.goBackTo(new Map());
    bench.store.poisoned.add("a");
    bench.counter.recheck();
    for (let attempt = 0; attempt < 3; attempt++) expect(await bench.count()).toBe(false);
    expect(totalOf(bench.store, "b")).toBe(3n);
    bench.store.poisoned.clear();
    bench.counter.recheck();
    expect(await bench.count()).toBe(true);
    expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
  });
});

test("gives up on a store whose answers never agree", async () => {
  using bench = createBench();
  bench.record(...times(3));
  let answers = 0;
  const counter = createJournalCounter({
    journal: bench.journal,
    producer: PRODUCER,
    apply: async (_producer, batch) => batch.map(() => (answers++ % 2) + 1),
    onLost: () => {},
    onWentBack: () => {},
    onRefused: () => {},
  });
  await expect(counter.countUpTo(bench.journal.committed())).rejects.toThrow("other offsets");
});

describe("any sequence of faults", () => {
  const fate = fc.constantFrom<Fate>("answered", "lost", "unsent", "late");
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ record: fc.array(anyOutcome, { maxLength: 5 }) }) },
    { weight: 6, arbitrary: fc.record({ count: fc.array(fate, { maxLength: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ goBack: fc.nat(10) }) },
    { weight: 2, arbitrary: fc.constantFrom("snapshot" as const, "release" as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("recheck" as const, "deliver" as const, "poison" as const),
    },
    { weight: 1, arbitrary: fc.constantFrom("heal" as const, "read anew" as const) },
  );
  type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

  /** Walks the steps, then heals the store and counts all. */
  async function walk(bench: Bench, steps: Step[], backsMax: number): Promise<void> {
    const { store, journal } = bench;
    let { counter } = bench;
    let snapshots: Counted[] = [new Map()];
    const isBeyond = backsMax < Number.POSITIVE_INFINITY;
    let backs = 0;
    const count = () =>
      counter.countUpTo(journal.committed()).then(
        () => true,
        () => false,
      );

    /** As after the retention: asked again, answered, no older data set left to go back to. */
    async function release(): Promise<void> {
      store.fates.length = 0;
      counter.recheck();
      if (!(await count())) return;
      journal.release(counter.counted());
      if (!isBeyond) snapshots = [store.snapshot()];
    }

    const walkWord = {
      snapshot: () => void snapshots.push(store.snapshot()),
      release,
      recheck: () => counter.recheck(),
      deliver: () => store.deliverLate(),
      poison: () => void store.poisoned.add("supply1"),
      heal: () => store.poisoned.clear(),
      "read anew"() {
        if (!isBeyond) counter = bench.readAgain();
      },
    };
    function goBack(place: number): void {
      if (backs++ >= backsMax) return;
      // What is still in a socket reaches the old server; only a loss could tell the difference.
      if (isBeyond) store.deliverLate();
      store.goBackTo(snapshots[place % snapshots.length]!);
    }

    for (const one of steps) {
      if (typeof one === "string") await walkWord[one]();
      else if ("record" in one) bench.record(...one.record);
      else if ("goBack" in one) goBack(one.goBack);
      else {
        store.fates.splice(0, store.fates.length, ...one.count);
        await count();
      }
    }
    store.fates.length = 0;
    store.poisoned.clear();
    store.deliverLate();
    counter.recheck();
    await counter.countUpTo(journal.committed());
  }

  test("leaves the counters equal to the records while these are kept", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        using bench = createBench();
        await walk(bench, steps, Number.POSITIVE_INFINITY);
        expect(bench.store.counted()).toEqual(countByHand(bench.outcomes));
        expect(bench.lost).toEqual(new Map());
      }),
      { numRuns: 400 },
    );
  });

  test("leaves the counters short by what was reported lost, when a store went further", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        using bench = createBench();
        await walk(bench, steps, 1);
        const recorded = countByHand(bench.outcomes);
        for (const [supplyId, fields] of recorded) {
          const total = fields.get("total_reqs")!;
          const lost = BigInt(bench.lost.get(supplyId) ?? 0);
          expect(totalOf(bench.store, supplyId)).toBe(total - lost);
        }
      }),
      { numRuns: 400 },
    );
  });
});
