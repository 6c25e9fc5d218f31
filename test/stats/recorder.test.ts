import { describe, expect, test } from "bun:test";
import { createJournalCounter } from "../../src/stats/journal-counter.ts";
import { createRecorder, RETENTION_MS, type Recorder } from "../../src/stats/recorder.ts";
import type { Journal } from "../../src/stats/ring.ts";
import { journalInMemory, outcomeOf, supplyOf } from "../support/auctions.ts";
import { createScriptedStore, type ScriptedStore } from "../support/scripted-store.ts";

const FLUSH_MS = 250;
const auction = outcomeOf(supplyOf("s", ["b1"]));
const other = outcomeOf(supplyOf("other", ["b1"]));
const longest = outcomeOf(
  supplyOf(
    "longest",
    Array.from({ length: 1_000 }, (_, i) => `b${i}`),
  ),
);

interface Bench extends Disposable {
  journal: Journal;
  store: ScriptedStore;
  recorder: Recorder;
  /** What `onChange` was told: the message of a failure, or "well". */
  changes: string[];
  /** What `onUnnamed` was told. */
  unnamed: string[];
  lost: number;
  /** Lets so much time pass in steps of a flush, each ticking and settling. */
  pass(ms: number): Promise<void>;
  isTicking(): boolean;
  total(): bigint;
}

/** @param turns  of the event loop, as many as ticks, that a call of the store takes */
function createBench(ringWords?: number, turns = 0): Bench {
  const journal = journalInMemory(ringWords);
  const store = createScriptedStore();
  const changes: string[] = [];
  const unnamed: string[] = [];
  let nowMs = 1_000_000;
  let tick: (() => void) | undefined;
  const counter = createJournalCounter({
    journal,
    producer: "p",
    async apply(producer, batch) {
      for (let turn = 0; turn < turns; turn++) await eventLoopTurn();
      return store.apply(producer, batch);
    },
    onWentBack: () => {},
    onLost(losses) {
      for (const records of losses.values()) bench.lost += records;
    },
    onRefused: () => {},
  });
  const recorder = createRecorder({
    journal,
    counter,
    flushMs: FLUSH_MS,
    onChange: (failure) => changes.push(failure?.message ?? "well"),
    onUnnamed: (supplyId) => unnamed.push(supplyId),
    now: () => nowMs,
    every(ms, run) {
      expect(ms).toBe(FLUSH_MS);
      tick = run;
      return () => {
        tick = undefined;
      };
    },
  });
  const bench: Bench = {
    journal,
    store,
    recorder,
    changes,
    unnamed,
    lost: 0,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += FLUSH_MS) {
        nowMs += FLUSH_MS;
        tick?.();
        await eventLoopTurn();
      }
    },
    isTicking: () => tick !== undefined,
    total: () => store.counted().get("s")?.get("total_reqs") ?? 0n,
    [Symbol.dispose]: journal[Symbol.dispose],
  };
  return bench;
}

const eventLoopTurn = () => new Promise((resolve) => setImmediate(resolve));

const recordSome = ({ recorder }: Bench, count: number) => {
  for (let i = 0; i < count; i++) recorder.record(auction);
};

describe("flushing", () => {
  test("counts at the next tick what was recorded, and then asks nothing", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    expect(bench.recorder.backlog()).toBe(bench.journal.committed());
    expect(bench.store.calls).toHaveLength(0);
    await bench.pass(FLUSH_MS);
    expect(bench.total()).toBe(3n);
    expect(bench.recorder.backlog()).toBe(0);
    await bench.pass(4 * FLUSH_MS);
    expect(bench.store.calls).toHaveLength(1);
  });

  test("tries again at each tick, and tells of a failure and its end once", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    bench.store.fates.push("unsent", "lost", "late");
    await bench.pass(3 * FLUSH_MS);
    expect(bench.changes).toEqual(["store: unsent"]);
    recordSome(bench, 1);
    await bench.pass(2 * FLUSH_MS);
    expect(bench.changes).toEqual(["store: unsent", "well"]);
    expect(bench.total()).toBe(4n);
  });

  test("never has two calls at the store", async () => {
    using bench = createBench();
    let running = 0;
    let most = 0;
    const { apply } = bench.store;
    const counter = createJournalCounter({
      journal: bench.journal,
      producer: "q",
      async apply(producer, batch) {
        most = Math.max(most, ++running);
        const replies = await apply(producer, batch);
        running--;
        return replies;
      },
      onLost: () => {},
      onWentBack: () => {},
      onRefused: () => {},
    });
    const { journal } = bench;
    let tick = () => {};
    const recorder = createRecorder({
      journal,
      counter,
      flushMs: 1,
      onChange: () => {},
      onUnnamed: () => {},
      every(_ms, run) {
        tick = run;
        return () => {};
      },
    });
    const drains: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      recorder.record(auction);
      drains.push(recorder.drain());
      tick();
    }
    await Promise.all(drains);
    expect(most).toBe(1);
    expect(bench.total()).toBe(20n);
  });
});

describe("drain", () => {
  test("takes in all that was recorded before it, also while a flush is running", async () => {
    using bench = createBench();
    recordSome(bench, 2);
    const first = bench.recorder.drain();
    let drained: Promise<void> | undefined;
    bench.store.beforeReply = () => {
      recordSome(bench, 3);
      drained = bench.recorder.drain();
    };
    await first;
    expect(bench.total()).toBe(2n);
    await drained;
    expect(bench.total()).toBe(5n);
  });

  test("rejects when the store does not answer, and the next one succeeds", async () => {
    using bench = createBench();
    recordSome(bench, 2);
    bench.store.fates.push("lost");
    await expect(bench.recorder.drain()).rejects.toThrow("store: lost");
    await bench.recorder.drain();
    expect(bench.total()).toBe(2n);
  });

  test("does not fail a drain behind it", async () => {
    using bench = createBench();
    recordSome(bench, 2);
    bench.store.fates.push("unsent");
    const [first, second] = await Promise.allSettled([
      bench.recorder.drain(),
      bench.recorder.drain(),
    ]);
    expect([first.status, second.status]).toEqual(["rejected", "fulfilled"]);
  });

  test("resolves at once when nothing was recorded", async () => {
    using bench = createBench();
    await bench.recorder.drain();
    expect(bench.store.calls).toEqual([]);
  });
});

describe("retention", () => {
  test("keeps a counted record for the retention, then gives it back", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.pass(FLUSH_MS);
    await bench.pass(RETENTION_MS - 2 * FLUSH_MS);
    expect(bench.journal.tail()).toBe(0);
    await bench.pass(2 * RETENTION_MS);
    expect(bench.journal.tail()).toBe(bench.journal.committed());
    expect(bench.total()).toBe(3n);
  });

  test("gives back each record in its time under steady load", async () => {
    using bench = createBench();
    for (let second = 0; second < 60; second++) {
      recordSome(bench, 4);
      await bench.pass(1_000);
      const kept = (bench.journal.committed() - bench.journal.tail()) / 6 / 4;
      const retention = RETENTION_MS / 1_000;
      expect(kept).toBeGreaterThanOrEqual(Math.min(second + 1, retention - 1));
      expect(kept).toBeLessThanOrEqual(2 * retention);
    }
    expect(bench.total()).toBe(240n);
    expect(bench.lost).toBe(0);
  });

  test.each([40, 41, 42, 43, 44, 45])(
    "half full, has room for more and still keeps what Redis may lose, in second %i",
    async (end) => {
      using bench = createBench(2 ** 14);
      const perSecond = 280; // Of six words each: a whole retention of them would not fit.
      let twoSecondsAgo = bench.store.snapshot();
      for (let second = 1; second <= end; second++) {
        recordSome(bench, perSecond);
        await bench.pass(1_000);
        if (second === end - 2) twoSecondsAgo = bench.store.snapshot();
      }
      bench.store.goBackTo(twoSecondsAgo);
      bench.recorder.recheck();
      await bench.pass(FLUSH_MS);
      expect(bench.total()).toBe(BigInt(end * perSecond));
      expect(bench.lost).toBe(0);
    },
  );

  test("never gives back what is not counted", async () => {
    using bench = createBench();
    recordSome(bench, 1);
    await bench.pass(FLUSH_MS);
    const counted = bench.journal.committed();
    recordSome(bench, 5);
    bench.store.fates.push(...Array(400).fill("unsent"));
    await bench.pass(3 * RETENTION_MS);
    expect(bench.journal.tail()).toBeLessThanOrEqual(counted);
    bench.store.fates.length = 0;
    await bench.pass(FLUSH_MS);
    expect(bench.total()).toBe(6n);
  });

  test.each([
    ["while nothing is recorded", 0],
    ["while auctions go on", 2],
  ])(
    "keeps what was counted just before an outage until the store answers, %s",
    async (_, more) => {
      using bench = createBench();
      recordSome(bench, 3);
      await bench.pass(FLUSH_MS);
      expect(bench.total()).toBe(3n);
      // Redis is away for three times the retention, and comes back without its last second.
      bench.store.fates.push(...Array(1_000).fill("unsent"));
      for (let second = 0; second < 30; second++) {
        recordSome(bench, more);
        await bench.pass(1_000);
      }
      bench.store.fates.length = 0;
      bench.store.goBackTo(new Map());
      bench.recorder.recheck();
      await bench.pass(4 * FLUSH_MS);
      expect(bench.lost).toBe(0);
      expect(bench.total()).toBe(BigInt(3 + 30 * more));
    },
  );

  test("asks about a supply that had nothing new before its records are given back", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.pass(FLUSH_MS);
    bench.store.goBackTo(new Map()); // Without a lost connection that would tell of it.
    for (let second = 0; second < 20; second++) {
      bench.recorder.record(other);
      await bench.pass(1_000);
    }
    expect(bench.total()).toBe(3n);
    expect(bench.lost).toBe(0);
  });

  test("keeps what was counted again for a whole retention", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.pass(RETENTION_MS - 2 * FLUSH_MS);
    for (let i = 0; i < 2; i++) {
      bench.store.goBackTo(new Map());
      bench.recorder.recheck();
      await bench.pass(RETENTION_MS - 2 * FLUSH_MS);
      expect(bench.total()).toBe(3n);
    }
    expect(bench.lost).toBe(0);
  });
});

test("releases also where each call of the store outlasts some ticks", async () => {
  using bench = createBench(undefined, 5);
  for (let passed = 0; passed < 2 * RETENTION_MS; passed += FLUSH_MS) {
    recordSome(bench, 1);
    await bench.pass(FLUSH_MS);
  }
  const keptWords = bench.journal.committed() - bench.journal.tail();
  expect(keptWords).toBeLessThan(0.75 * bench.journal.committed());
  expect(bench.changes).toEqual([]);
});

describe("recheck", () => {
  test("counts again at the next tick what the store has no more", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.pass(FLUSH_MS);
    bench.store.goBackTo(new Map());
    bench.recorder.recheck();
    await bench.pass(FLUSH_MS);
    expect(bench.total()).toBe(3n);
  });

  test("is heeded also when it is asked for during a flush", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.pass(FLUSH_MS);
    bench.recorder.recheck();
    bench.store.beforeReply = () => {
      bench.store.goBackTo(new Map());
      bench.recorder.recheck();
    };
    await bench.pass(3 * FLUSH_MS);
    expect(bench.total()).toBe(3n);
  });

  test("stays due until the store has answered", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.pass(FLUSH_MS);
    bench.store.goBackTo(new Map());
    bench.recorder.recheck();
    bench.store.fates.push("unsent", "late", "lost");
    await bench.pass(6 * FLUSH_MS);
    expect(bench.total()).toBe(3n);
  });
});

describe("room", () => {
  test("is none for a new auction long before the journal is full", async () => {
    using bench = createBench(2 ** 18);
    const { recorder, journal } = bench;
    expect(recorder.hasRoom()).toBe(true);
    while (recorder.hasRoom()) recorder.record(longest);
    expect(journal.committed()).toBeLessThan(2 ** 18);
    // Those that were let in before still find a place.
    for (let i = 0; i < 2_000; i++) recorder.record(longest);
  });

  test("is there again once counted records were given back", async () => {
    using bench = createBench(2 ** 18);
    while (bench.recorder.hasRoom()) bench.recorder.record(longest);
    await bench.pass(3 * RETENTION_MS);
    expect(bench.recorder.hasRoom()).toBe(true);
  });

  test("ends with an error, not with a record that is lost silently", () => {
    using bench = createBench(1_024);
    expect(() => {
      for (let i = 0; i < 1_024; i++) bench.recorder.record(auction);
    }).toThrow("full");
  });
});

describe("the names of supplies", () => {
  const supplies = Array.from({ length: 1_002 }, (_, i) => supplyOf(`s${i}`, ["b1"]));
  const [last, beforeLast] = [supplies.at(-1)!, supplies.at(-2)!];

  test("of the first thousand are written down beforehand, of others at their first bid", () => {
    using bench = createBench(2 ** 18);
    bench.recorder.prepare(supplies);
    expect(bench.journal.supplyIds()).toHaveLength(1_000);
    expect(bench.recorder.canRecord(last)).toBe(true);
    expect(bench.journal.supplyIds()).toContain("s1001");
  });

  test("that the disk refuses then are told of once, until supplies are prepared again", () => {
    using bench = createBench(2 ** 18);
    bench.recorder.prepare(supplies);
    bench.journal.name = () => {
      throw new Error("no space left");
    };
    expect(bench.recorder.canRecord(last)).toBe(false);
    expect(bench.recorder.canRecord(beforeLast)).toBe(false);
    expect(bench.unnamed).toEqual(["s1001"]);
    bench.recorder.prepare([]);
    expect(bench.recorder.canRecord(beforeLast)).toBe(false);
    expect(bench.unnamed).toEqual(["s1001", "s1000"]);
  });
});

describe("stop", () => {
  test("counts what is left and ticks no more", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    await bench.recorder.stop();
    expect(bench.total()).toBe(3n);
    expect(bench.isTicking()).toBe(false);
  });

  test("rejects when what is left could not be counted", async () => {
    using bench = createBench();
    recordSome(bench, 3);
    bench.store.fates.push("unsent");
    await expect(bench.recorder.stop()).rejects.toThrow("store: unsent");
    expect(bench.isTicking()).toBe(false);
  });
});
