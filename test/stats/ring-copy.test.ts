import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Journal } from "../../src/stats/ring.ts";
import type { JournalRecord } from "../../src/stats/ring-scan.ts";
import { anyOutcome, copyOf, journalInMemory, outcomeOf, supplyOf } from "../support/auctions.ts";

const auction = outcomeOf(supplyOf("s", ["b1"]));
const WORDS = 6;

/** What a scan sees, and where it stops. */
function seenBy(journal: Pick<Journal, "scan">, from: number, to: number) {
  const seen: unknown[] = [];
  const end = journal.scan(from, to, (record: JournalRecord) => {
    const { supply, ordinal, country, winner, clearingPriceMicros, catalogVersion } = record;
    const states = supply.bidderIds
      .map((_, place) => place)
      .filter((place) => place % 10 === 0)
      .map(record.statesFrom);
    const { number } = supply;
    seen.push([number, ordinal, country, winner, clearingPriceMicros, catalogVersion, states]);
  });
  return { seen, end };
}

describe("a copied ring", () => {
  test.each([0, 2 ** 24 - 7, 2 ** 32 - 5, 2 ** 40 + 11])(
    "shows what the journal itself does, through its laps from position %d on",
    (position) => {
      const steps = fc.array(
        fc.oneof({ weight: 3, arbitrary: anyOutcome }, { weight: 1, arbitrary: fc.constant(null) }),
        { maxLength: 300 },
      );
      fc.assert(
        fc.property(steps, (ops) => {
          using journal = journalInMemory(1_024, position);
          const copy = copyOf(journal);
          let recorded = 0;
          for (const op of ops) {
            if (!op) {
              journal.release(journal.committed());
              journal.tellCounted(journal.committed());
            } else if (journal.hasRoom(0)) {
              journal.append(op);
              recorded++;
            }
          }
          const [tail, committed] = [journal.tail(), journal.committed()];
          const counted = ops.includes(null) ? tail : 0;
          expect(copy.header()).toEqual({ tail, committed, counted, recorded });
          expect(seenBy(copy, tail, committed)).toEqual(seenBy(journal, tail, committed));
        }),
        { numRuns: 60 },
      );
    },
  );

  test("shows more than it copies at once", () => {
    using journal = journalInMemory(2 ** 17);
    for (let i = 0; i < 20_000; i++) journal.append(auction);
    const { seen, end } = seenBy(copyOf(journal), 0, journal.committed());
    expect(seen).toHaveLength(20_000);
    expect(end).toBe(journal.committed());
  });

  test("stops at a record that was not written whole", () => {
    using journal = journalInMemory(1_024);
    for (let i = 0; i < 3; i++) journal.append(auction);
    new Int32Array(journal.bytes.buffer)[16 + WORDS] = 0;
    expect(seenBy(copyOf(journal), 0, journal.committed()).end).toBe(WORDS);
  });

  test("shows nothing that may have been written over while it was copied", () => {
    using journal = journalInMemory(1_024);
    for (let i = 0; i < 3; i++) journal.append(auction);
    let isReleased = false;
    const copy = copyOf(journal, () => {
      if (isReleased) journal.release(WORDS);
    });
    isReleased = true;
    expect(seenBy(copy, 0, journal.committed())).toEqual({ seen: [], end: 0 });
    expect(seenBy(copy, WORDS, journal.committed()).seen).toHaveLength(2);
  });

  test("refuses bytes that are not a journal", () => {
    using journal = journalInMemory(1_024);
    const copy = copyOf(journal);
    journal.bytes.fill(7);
    expect(() => copy.header()).toThrow("journal");
  });
});
