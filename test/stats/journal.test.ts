import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { countryCode } from "../../src/catalog/country.ts";
import { createJournal, createJournalFolder, openJournal } from "../../src/stats/journal.ts";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";
import { type Journal, journalOver } from "../../src/stats/ring.ts";
import type { JournalRecord } from "../../src/stats/ring-scan.ts";
import { anyOutcome, journalInMemory, outcomeOf, supplyOf } from "../support/auctions.ts";
import { createFolder } from "../support/folder.ts";
import { BIDDERS_OF_WRITER, JOURNAL_WRITER } from "../support/journal-writer.ts";

interface Read {
  supplyId: string;
  country: string;
  winner: number;
  price: number;
  catalogVersion: number;
  states: number[];
}

const stateAt = (record: JournalRecord, place: number) =>
  (record.statesFrom(place - (place % 10)) >>> (3 * (place % 10))) & 7;

function readAll(journal: Journal, from = journal.tail(), to = journal.committed()) {
  const records: Read[] = [];
  const ordinals: [supplyId: string, ordinal: number][] = [];
  const end = journal.scan(from, to, (record) => {
    const { supply, ordinal, country, winner, clearingPriceMicros, catalogVersion } = record;
    ordinals.push([supply.supplyId, ordinal]);
    records.push({
      supplyId: supply.supplyId,
      country: countryCode(country),
      winner,
      price: clearingPriceMicros,
      catalogVersion,
      states: supply.bidderIds.map((_, place) => stateAt(record, place)),
    });
  });
  return { records, ordinals, end };
}

function expectedOf(outcome: AuctionOutcome): Read {
  const states = outcome.supply.bidders.map(() => 0);
  outcome.eligible.forEach((place, i) => {
    states[place] = outcome.states[i]!;
  });
  const { supply, country, winner, clearingPriceMicros: price, catalogVersion } = outcome;
  // Twelve bits of it are kept.
  const version = catalogVersion % 4_096;
  return { supplyId: supply.id, country, winner, price, catalogVersion: version, states };
}

const small = supplyOf("small", ["b1"]);
const large = supplyOf(
  "large",
  Array.from({ length: 1_000 }, (_, i) => `b${i}`),
);

describe("a ring", () => {
  test("gives back every field of a record", () => {
    using journal = journalInMemory();
    const every = large.bidders.map((_, place) => (place % 6) as BidderState);
    const outcomes = [
      outcomeOf(small, { country: "AA" }),
      outcomeOf(small, { country: "ZZ", states: [BidderState.timeout] }),
      outcomeOf(large, {
        states: every.with(999, BidderState.bid),
        winner: 999,
        clearingPriceMicros: 2 ** 32 - 1,
      }),
      outcomeOf(supplyOf("empty", [])),
      outcomeOf(small, { states: [BidderState.bid], winner: 0, clearingPriceMicros: 1 }),
      outcomeOf(large, { states: every.with(999, 1), winner: 999, catalogVersion: 4_095 }),
      outcomeOf(small, { catalogVersion: 4_097 }),
    ];
    for (const outcome of outcomes) journal.append(outcome);
    const { records, ordinals, end } = readAll(journal);
    expect(records).toEqual(outcomes.map(expectedOf));
    expect(ordinals.map(([, ordinal]) => ordinal)).toEqual([1, 2, 1, 1, 3, 2, 4]);
    expect(end).toBe(journal.committed());
  });

  test.each([2 ** 31, 2 ** 32, 2 ** 44 - 2])(
    "numbers the auctions of a supply on beyond %d, whatever its number",
    (count) => {
      using journal = journalInMemory();
      for (let i = 0; i < 300; i++) journal.names.of(supplyOf(`s${i}`, ["b1"]));
      journal.names.of(small).recorded.count = count - 2;
      for (let i = 0; i < 3; i++) journal.append(outcomeOf(small));
      const { ordinals } = readAll(journal);
      expect(ordinals).toEqual([-1, 0, 1].map((more) => ["small", count + more]));
    },
  );

  test("refuses an outcome that does not fit, and is as before", () => {
    using journal = journalInMemory(1_024);
    let appended = 0;
    expect(() => {
      for (;;) {
        journal.append(outcomeOf(large));
        appended++;
      }
    }).toThrow("full");
    expect(appended).toBe(Math.floor(1_024 / 105));
    const committed = journal.committed();
    expect(() => journal.append(outcomeOf(large))).toThrow("full");
    expect(journal.committed()).toBe(committed);
    const { ordinals } = readAll(journal);
    expect(ordinals.map(([, ordinal]) => ordinal)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    journal.append(outcomeOf(small)); // A shorter one still fits.
    journal.release(105);
    journal.append(outcomeOf(large));
    expect(readAll(journal).ordinals.at(-1)).toEqual(["large", 10]);
  });

  test("holds records up to its last word", () => {
    using journal = journalInMemory(1_024);
    const outcomes = [
      ...Array.from({ length: 2 }, () => outcomeOf(supplyOf("empty", []))), // Five words each.
      ...Array.from({ length: 169 }, () => outcomeOf(small)), // Six.
    ];
    for (const outcome of outcomes) journal.append(outcome);
    expect(journal.committed()).toBe(1_024);
    expect(readAll(journal).records).toEqual(outcomes.map(expectedOf));
  });

  test("has room only for what surely fits", () => {
    using journal = journalInMemory(1_024);
    for (let reserved = 0; journal.hasRoom(reserved); reserved++) {
      expect(reserved).toBeLessThan(1_024 / 105);
    }
    expect(journal.hasRoom(0)).toBe(true);
    while (journal.hasRoom(2)) journal.append(outcomeOf(large));
    for (let i = 0; i < 2; i++) journal.append(outcomeOf(large));
    journal.release(journal.committed());
    expect(journal.hasRoom(2)).toBe(true);
  });

  test("does not release what is not there", () => {
    using journal = journalInMemory();
    journal.append(outcomeOf(small));
    journal.append(outcomeOf(small));
    const { committed } = journal;
    expect(() => journal.release(committed() + 1)).toThrow();
    journal.release(6);
    expect(() => journal.release(5)).toThrow();
    journal.release(6);
    journal.release(committed());
    expect(readAll(journal).records).toEqual([]);
  });

  test.each([0, 2 ** 24 - 7, 2 ** 31 - 3, 2 ** 32 - 5, 2 ** 32, 2 ** 40 + 11])(
    "keeps what a queue would, through all its laps from position %d on",
    (position) => {
      const steps = fc.array(
        fc.oneof({ weight: 3, arbitrary: anyOutcome }, { weight: 1, arbitrary: fc.nat(20) }),
        { maxLength: 400 },
      );
      fc.assert(
        fc.property(steps, (ops) => {
          using journal = journalInMemory(1_024, position);
          expect([journal.tail(), journal.committed()]).toEqual([position, position]);
          const queue: { read: Read; start: number }[] = [];
          for (const op of ops) {
            if (typeof op === "number") {
              queue.splice(0, op);
              journal.release(queue[0]?.start ?? journal.committed());
              continue;
            }
            const start = journal.committed();
            try {
              journal.append(op);
            } catch {
              expect(journal.hasRoom(0)).toBe(false);
              continue;
            }
            queue.push({ read: expectedOf(op), start });
          }
          const { records, end } = readAll(journal);
          expect(end).toBe(journal.committed());
          expect(records).toEqual(queue.map(({ read }) => read));
          const middle = queue[queue.length >> 1];
          if (!middle) return;
          const before = readAll(journal, journal.tail(), middle.start);
          const after = readAll(journal, middle.start);
          expect(before.end).toBe(middle.start);
          expect([...before.records, ...after.records]).toEqual(records);
        }),
        { numRuns: 40 },
      );
    },
  );

  test("stops at a record that was not written whole", () => {
    using journal = journalInMemory(1_024);
    const { bytes, names } = journal;
    const words = new Int32Array(bytes.buffer);
    for (let i = 0; i < 3; i++) journal.append(outcomeOf(small));
    const intact = words.slice();
    const lastAt = words.length - 1_024 + 12; // The third record, of six words each.
    const broken: [place: number, value: number][] = [
      [0, 0],
      [0, intact[lastAt]! - 256],
      [0, (12 << 8) | 2],
      [1, 7],
      [3, 1_023],
    ];
    for (const [place, value] of broken) {
      words.set(intact);
      words[lastAt + place] = value;
      const { records, end } = readAll(journalOver(bytes, names));
      expect(records).toHaveLength(2);
      expect(end).toBe(12);
    }
    // The header reached the disk before the record did.
    words.set(intact);
    words[2] = 24;
    const reopened = journalOver(bytes, names);
    expect(reopened.committed()).toBe(24);
    expect(readAll(reopened).end).toBe(18);
  });

  test("refuses bytes that are not a journal", () => {
    using journal = journalInMemory(1_024);
    expect(() => journalOver(journal.bytes.fill(7), journal.names)).toThrow("journal");
  });
});

describe("a journal's file", () => {
  test("is read by another mapping as it was left", () => {
    using folder = createFolder();
    const path = folder.path("p.journal");
    const journal = createJournal(path, 1_024);
    const outcomes = Array.from({ length: 20 }, (_, i) =>
      outcomeOf(small, { states: [(i % 6) as BidderState] }),
    );
    for (const outcome of outcomes) journal.append(outcome);
    journal.release(18);
    const other = openJournal(path);
    expect([other.tail(), other.committed()]).toEqual([18, 120]);
    expect(readAll(other).records).toEqual(outcomes.slice(3).map(expectedOf));
    expect(readAll(other).ordinals[0]).toEqual(["small", 4]);
    expect(other.supplyIds()).toEqual(["small"]);
    expect(() => other.append(outcomes[0]!)).toThrow();
    journal.close();
  });

  test("is never that of an earlier producer", () => {
    using folder = createFolder();
    createJournal(folder.path("p.journal"), 1_024).close();
    expect(() => createJournal(folder.path("p.journal"), 1_024)).toThrow("EEXIST");
    for (const ringWords of [0, 512, 1_000, 1_025, -1_024]) {
      expect(() => createJournal(folder.path("q.journal"), ringWords)).toThrow("power of two");
    }
  });

  test("holds what was committed before a SIGKILL, whole and in order", async () => {
    using folder = createFolder();
    for (let round = 0; round < 6; round++) {
      const path = folder.path(`${round}.journal`);
      const child = Bun.spawn([process.execPath, JOURNAL_WRITER, path, String(2 ** (12 + round))], {
        stdout: "pipe",
        stderr: "inherit",
      });
      let told = "";
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        told += decoder.decode(chunk, { stream: true });
        const isLongEnough = told.split("\n").length > 10 * (round + 1);
        if (isLongEnough && !child.killed) child.kill("SIGKILL");
      }
      await child.exited;
      expect(child.signalCode).toBe("SIGKILL");
      const committed = Number(told.split("\n").at(-2));

      const journal = openJournal(path);
      let first = 0;
      let last = 0;
      const end = journal.scan(journal.tail(), journal.committed(), (record) => {
        first ||= record.ordinal;
        if (last > 0) expect(record.ordinal).toBe(last + 1);
        last = record.ordinal;
        expect(record.clearingPriceMicros).toBe(record.ordinal);
        expect(record.winner).toBe(record.ordinal % BIDDERS_OF_WRITER);
        for (let place = 0; place < BIDDERS_OF_WRITER; place++) {
          if (stateAt(record, place) !== BidderState.bid) throw new Error(`${last}: torn states`);
        }
      });
      expect(end).toBe(journal.committed());
      expect(last).toBeGreaterThanOrEqual(committed);
      expect(first).toBeGreaterThan(0);
      expect(journal.tail()).toBe((first - 1) * 7);
    }
  });
});

describe("the folder of journals", () => {
  test("knows a producer from the creation of its journal to its removal", () => {
    using folder = createFolder();
    const journals = createJournalFolder(folder.dir);
    expect(journals.producers()).toEqual([]);
    const journal = createJournal(journals.pathOf("host-1.2"), 1_024);
    journal.append(outcomeOf(small));
    journal.close();
    expect(journals.producers()).toEqual(["host-1.2"]);
    expect(readAll(journals.open("host-1.2")!).records).toHaveLength(1);
    expect(journals.retired()).toEqual([]);

    journals.retire("host-1.2");
    expect(journals.producers()).toEqual([]);
    expect(journals.retired()).toEqual([{ producer: "host-1.2", supplyIds: ["small"] }]);

    journals.remove("host-1.2");
    expect(journals.retired()).toEqual([]);
    expect(readdirSync(folder.dir)).toEqual([]);
    journals.remove("host-1.2");
  });

  test("tells a journal apart whose producer died while creating it", () => {
    using folder = createFolder();
    const journals = createJournalFolder(folder.dir);
    writeFileSync(journals.pathOf("p"), new Uint8Array(100));
    expect(journals.producers()).toEqual(["p"]);
    expect(journals.open("p")).toBeUndefined();
    journals.remove("p");
    expect(existsSync(journals.pathOf("p"))).toBe(false);
  });

  test("copies what a producer that lives has written, and goes on to write", () => {
    using folder = createFolder();
    const journals = createJournalFolder(folder.dir);
    const journal = createJournal(journals.pathOf("p"), 1_024);
    const copy = journals.copy("p")!;
    for (let recorded = 1; recorded <= 300; recorded++) {
      if (!journal.hasRoom(0)) journal.release(journal.committed());
      const from = journal.committed();
      journal.append(outcomeOf(recorded % 2 === 0 ? small : supplyOf("new", ["b1", "b2"])));
      const header = copy.header();
      expect(header).toMatchObject({ tail: journal.tail(), committed: from + 6, recorded });
      const ids: string[] = [];
      copy.scan(from, header.committed, ({ supply }) => ids.push(supply.supplyId));
      expect(ids).toEqual([recorded % 2 === 0 ? "small" : "new"]);
    }
    copy.close();
    expect(() => copy.header()).toThrow("EBADF");
    journal.close();
  });

  test("does not copy what is no journal, or is gone", () => {
    using folder = createFolder();
    const journals = createJournalFolder(folder.dir);
    expect(journals.copy("p")).toBeUndefined();
    writeFileSync(journals.pathOf("p"), new Uint8Array(100));
    expect(journals.copy("p")).toBeUndefined(); // Its names are made last.
    writeFileSync(folder.path("p.names"), "");
    expect(() => journals.copy("p")!.header()).toThrow("journal");
    writeFileSync(folder.path("p.names"), "x".repeat(2 ** 20 + 1));
    expect(() => journals.copy("p")).toThrow("longer");
  });

  test("leaves other files alone", () => {
    using folder = createFolder();
    writeFileSync(folder.path("journal.txt"), "");
    writeFileSync(folder.path("lock"), "");
    const journals = createJournalFolder(folder.dir);
    expect([journals.producers(), journals.retired()]).toEqual([[], []]);
  });
});
