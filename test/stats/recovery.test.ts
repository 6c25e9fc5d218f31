import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { createJournal, createJournalFolder, type JournalFolder } from "../../src/stats/journal.ts";
import { createJournalCounter } from "../../src/stats/journal-counter.ts";
import { RETENTION_MS } from "../../src/stats/recorder.ts";
import { createRecovery, type Recovery } from "../../src/stats/recovery.ts";
import type { Journal } from "../../src/stats/ring.ts";
import { outcomeOf, supplyOf } from "../support/auctions.ts";
import { createFolder } from "../support/folder.ts";
import { createScriptedStore, type ScriptedStore } from "../support/scripted-store.ts";
import { until } from "../support/until.ts";

const a = supplyOf("a", ["b1"]);
const b = supplyOf("b", ["b1"]);

interface Bench extends Disposable {
  folder: JournalFolder;
  store: ScriptedStore;
  recovery: Recovery;
  /** What recovery told, in order: "recovered p 12", "lost a 3", "forgotten", "fault p …". */
  told: string[];
  files(): string[];
  /** A supervisor that starts over on the same folder and store. */
  startOver(journals?: JournalFolder): Recovery;
  /** The journal of a producer that ended after so many auctions of a and of b. */
  leave(producer: string, countOfA: number, countOfB?: number): Journal;
  /** Ends the waits that were asked for, so that everyone goes on. */
  pass(ms: number): void;
  /** Waits asked for and not ended. */
  waits(): number[];
  total(supplyId?: string): bigint;
}

function createBench(): Bench {
  const temporary = createFolder();
  const folder = createJournalFolder(temporary.dir);
  const store = createScriptedStore();
  const told: string[] = [];
  let waiting: { ms: number; wake: () => void }[] = [];
  const startOver = (journals = folder) =>
    createRecovery({
      journals,
      store,
      onRecovered: (producer, words) => told.push(`recovered ${producer} ${words}`),
      onWentBack: () => told.push("went back"),
      onLost: (losses) => told.push(...[...losses].map(([id, records]) => `lost ${id} ${records}`)),
      onForgotten: () => told.push("forgotten"),
      onFault: (producer, fault) => told.push(`fault ${producer} ${(fault as Error).message}`),
      wait: (ms) => new Promise((wake) => waiting.push({ ms, wake })),
    });
  return {
    folder,
    store,
    recovery: startOver(),
    told,
    files: () => readdirSync(temporary.dir).sort(),
    startOver,
    leave(producer, countOfA, countOfB = 0) {
      const journal = createJournal(folder.pathOf(producer), 1_024);
      for (let i = 0; i < countOfA; i++) journal.append(outcomeOf(a));
      for (let i = 0; i < countOfB; i++) journal.append(outcomeOf(b));
      journal.close();
      return journal;
    },
    pass(ms) {
      const due = waiting.filter((one) => one.ms <= ms);
      waiting = waiting.filter((one) => one.ms > ms);
      for (const { wake } of due) wake();
    },
    waits: () => waiting.map(({ ms }) => ms),
    total: (supplyId = "a") => store.counted().get(supplyId)?.get("total_reqs") ?? 0n,
    [Symbol.dispose]: temporary[Symbol.dispose],
  };
}

/** Has everything run that does not wait for time. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a worker did before it ended: counted all that it had recorded, and released it. */
async function countAsWorker(bench: Bench, producer: string, journal: Journal): Promise<void> {
  const counter = createJournalCounter({
    journal,
    producer,
    apply: bench.store.apply,
    onLost: () => {},
    onWentBack: () => {},
    onRefused: () => {},
  });
  await counter.countUpTo(journal.committed());
}

describe("journals of producers that ended", () => {
  test("are counted, kept for the retention, then forgotten and deleted", async () => {
    using bench = createBench();
    bench.leave("p", 3, 2);
    bench.leave("q", 4);
    bench.recovery.recoverAll();
    await bench.recovery.settled();
    expect([bench.total("a"), bench.total("b")]).toEqual([7n, 2n]);
    await turns();
    expect(bench.told.sort()).toEqual(["recovered p 30", "recovered q 24"]);
    expect(bench.files()).toEqual(["p.journal", "p.names", "q.journal", "q.names"]);
    expect(bench.waits()).toEqual([RETENTION_MS, RETENTION_MS]);
    expect(bench.store.offset("p", "a")).toBe(3);

    bench.pass(RETENTION_MS);
    await turns();
    expect(bench.files()).toEqual([]);
    expect(bench.told.filter((line) => line === "forgotten")).toHaveLength(2);
    for (const [producer, supplyId] of ["pa", "pb", "qa"]) {
      expect(bench.store.offset(producer!, supplyId!)).toBe(0);
    }
    expect([bench.total("a"), bench.total("b")]).toEqual([7n, 2n]);
    expect(bench.waits()).toEqual([]);
  });

  test("say how far they are counted, so that GET /stat passes over that", async () => {
    using bench = createBench();
    bench.leave("p", 3);
    const { committed } = bench.folder.copy("p")!.header();
    bench.recovery.recover("p");
    await until("they are counted", () => bench.total() === 3n);
    await bench.recovery.settled();
    expect(bench.folder.copy("p")!.header()).toMatchObject({ counted: committed, recorded: 3 });
  });

  test("one whose producer lives, and releases records meanwhile, has lost none", async () => {
    using bench = createBench();
    const orphan = createJournal(bench.folder.pathOf("p"), 1_024);
    for (let i = 0; i < 3; i++) orphan.append(outcomeOf(a));
    await countAsWorker(bench, "p", orphan);
    bench
      .startOver({
        ...bench.folder,
        open(producer) {
          const journal = bench.folder.open(producer);
          return (
            journal && {
              ...journal,
              scan(...args) {
                const stoppedAt = journal.scan(...args);
                orphan.release(orphan.committed());
                return stoppedAt;
              },
            }
          );
        },
      })
      .recoverAll();
    await turns();
    expect(bench.told).toEqual(["recovered p 18"]);
    orphan.close();
  });

  test("are counted from where the producer came to", async () => {
    using bench = createBench();
    const journal = bench.leave("p", 5);
    const counter = createJournalCounter({
      journal,
      producer: "p",
      apply: bench.store.apply,
      onLost: () => {},
      onWentBack: () => {},
      onRefused: () => {},
    });
    await counter.countUpTo(18);
    bench.recovery.recover("p");
    await bench.recovery.settled();
    expect(bench.total()).toBe(5n);
    expect(bench.told.filter((line) => line.startsWith("lost"))).toEqual([]);
  });

  test("are not taken as lost where everything was counted and released", async () => {
    for (const released of [0, 18, 30]) {
      using bench = createBench();
      const journal = bench.leave("p", 5);
      await countAsWorker(bench, "p", journal);
      journal.release(released);
      bench.recovery.recover("p");
      await bench.recovery.settled();
      bench.recovery.recheck();
      await bench.recovery.settled();
      await turns();
      bench.pass(RETENTION_MS);
      await turns();
      expect(bench.told).toEqual([`recovered p ${30 - released}`, "forgotten"]);
      expect(bench.total()).toBe(5n);
      expect(bench.store.offset("p", "a")).toBe(0);
    }
  });

  test("are deleted unread when their producer had not begun to serve", async () => {
    using bench = createBench();
    writeFileSync(bench.folder.pathOf("p"), new Uint8Array(64));
    bench.recovery.recoverAll();
    await bench.recovery.settled();
    expect(bench.files()).toEqual([]);
    expect(bench.told).toEqual([]);
  });

  test("that cannot be read are told of, stay, and do not stop the others", async () => {
    using bench = createBench();
    writeFileSync(bench.folder.pathOf("broken"), new Uint8Array(4_096 + 64).fill(9));
    writeFileSync(bench.folder.pathOf("broken").replace(".journal", ".names"), "");
    bench.leave("p", 2);
    bench.recovery.recoverAll();
    await bench.recovery.settled();
    expect(bench.total()).toBe(2n);
    expect(bench.told.filter((line) => line.startsWith("fault broken"))).toHaveLength(1);
    expect(bench.files()).toContain("broken.journal");
  });

  test("that are empty are deleted as well", async () => {
    using bench = createBench();
    bench.leave("p", 0);
    bench.recovery.recover("p");
    await bench.recovery.settled();
    await turns();
    bench.pass(RETENTION_MS);
    await turns();
    expect(bench.files()).toEqual([]);
    expect(bench.total()).toBe(0n);
  });
});

describe("a store that does not answer", () => {
  test("is asked again until it does, and holds up whoever waits for the count", async () => {
    using bench = createBench();
    bench.leave("p", 3);
    bench.store.fates.push("unsent", "lost", "late", "unsent");
    bench.recovery.recover("p");
    let isSettled = false;
    const settled = bench.recovery.settled().then(() => {
      isSettled = true;
    });
    for (let attempt = 0; attempt < 4; attempt++) {
      await turns();
      expect(isSettled).toBe(false);
      expect(bench.waits()).toHaveLength(1);
      bench.pass(RETENTION_MS - 1);
    }
    await settled;
    bench.store.deliverLate();
    expect(bench.total()).toBe(3n);
    expect(bench.told.filter((line) => line.startsWith("fault"))).toHaveLength(1);
  });

  test("leaves the journal for the next start when the service stops", async () => {
    using bench = createBench();
    bench.leave("p", 3);
    bench.store.fates.push(...Array(10).fill("unsent"));
    bench.recovery.recover("p");
    const settled = bench.recovery.settled().catch(() => {});
    await turns();
    bench.recovery.stop();
    bench.pass(RETENTION_MS);
    await settled;
    await turns();
    expect(bench.files()).toEqual(["p.journal", "p.names"]);
    bench.store.fates.length = 0;

    const next = bench.startOver();
    next.recoverAll();
    await next.settled();
    expect(bench.total()).toBe(3n);
  });
});

describe("a store that goes back", () => {
  test("within the retention is made good", async () => {
    using bench = createBench();
    bench.leave("p", 3, 2);
    bench.recovery.recover("p");
    await bench.recovery.settled();
    bench.store.goBackTo(new Map());
    bench.recovery.recheck();
    await bench.recovery.settled();
    expect([bench.total("a"), bench.total("b")]).toEqual([3n, 2n]);
  });

  test("is noticed at the end of the retention without being told", async () => {
    using bench = createBench();
    bench.leave("p", 3);
    bench.recovery.recover("p");
    await bench.recovery.settled();
    await turns();
    bench.store.goBackTo(new Map());
    bench.pass(RETENTION_MS);
    await turns();
    expect(bench.total()).toBe(3n);
    expect(existsSync(bench.folder.pathOf("p"))).toBe(true); // For another retention.
    bench.pass(RETENTION_MS);
    await turns();
    expect(bench.files()).toEqual([]);
    expect(bench.total()).toBe(3n);
  });

  test("without what the producer had released leaves that reported, once", async () => {
    using bench = createBench();
    const journal = bench.leave("p", 5);
    await countAsWorker(bench, "p", journal);
    journal.release(18);
    bench.store.goBackTo(new Map());
    bench.recovery.recover("p");
    await bench.recovery.settled();
    bench.recovery.recheck();
    await bench.recovery.settled();
    expect(bench.told.filter((line) => line.startsWith("lost"))).toEqual(["lost a 3"]);
    expect(bench.total()).toBe(2n);
  });
});

describe("the end of a journal", () => {
  /** A journal that is counted and kept, at the end of its retention. */
  async function keepOne(bench: Bench): Promise<void> {
    bench.leave("p", 3);
    bench.recovery.recover("p");
    await bench.recovery.settled();
    await turns();
    expect(bench.waits()).toEqual([RETENTION_MS]);
  }

  test.each(["lost", "unsent", "late"] as const)(
    "counts nothing twice when forgetting is %s",
    async (fate) => {
      using bench = createBench();
      await keepOne(bench);
      bench.store.fates.push("answered", fate); // The last count, then the forgetting.
      bench.pass(RETENTION_MS);
      await turns();
      bench.recovery.recheck(); // The connection is back.
      await bench.recovery.settled();
      expect(bench.total()).toBe(3n);

      bench.recovery.stop();
      const next = bench.startOver();
      next.recoverAll();
      bench.store.deliverLate();
      bench.pass(RETENTION_MS);
      await next.settled();
      await until("the offset is forgotten", () => bench.store.offset("p", "a") === 0);
      await until("the files are gone", () => bench.files().length === 0);
      expect(bench.total()).toBe(3n);
    },
  );

  test("counts nothing twice when a recheck comes at the same moment", async () => {
    for (let turn = 0; turn < 12; turn++) {
      using bench = createBench();
      await keepOne(bench);
      bench.pass(RETENTION_MS);
      for (let i = 0; i < turn; i++) await Promise.resolve();
      bench.recovery.recheck();
      await bench.recovery.settled();
      await turns();
      bench.recovery.recheck();
      await bench.recovery.settled();
      expect(bench.total()).toBe(3n);
      expect(bench.files()).toEqual([]);
    }
  });

  test("leaves what a predecessor had only to forget to the next start", async () => {
    using bench = createBench();
    await keepOne(bench);
    bench.recovery.stop();
    bench.folder.retire("p");
    expect(bench.files()).toEqual(["p.names"]);
    bench.startOver().recoverAll();
    await until("the offset is forgotten", () => bench.store.offset("p", "a") === 0);
    await until("the names are gone", () => bench.files().length === 0);
    expect(bench.total()).toBe(3n);
  });
});

test("a poisoned supply does not keep the others of a journal from being counted", async () => {
  using bench = createBench();
  bench.store.poisoned.add("a");
  bench.leave("p", 3, 2);
  bench.recovery.recover("p");
  await turns();
  expect(bench.total("b")).toBe(2n);
  expect(bench.files()).toEqual(["p.journal", "p.names"]);
  bench.store.poisoned.clear();
  bench.pass(RETENTION_MS - 1);
  await bench.recovery.settled();
  expect(bench.total("a")).toBe(3n);
});
