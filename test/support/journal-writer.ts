import { writeSync } from "node:fs";
import { createJournal } from "../../src/stats/journal.ts";
import { BidderState } from "../../src/stats/outcome.ts";
import { outcomeOf, supplyOf } from "./auctions.ts";

/** The program below; its arguments are the path of the journal and the words of its ring. */
export const JOURNAL_WRITER = import.meta.path;
export const BIDDERS_OF_WRITER = 12;

if (import.meta.main) writeUntilKilled(process.argv[2]!, Number(process.argv[3]));

/**
 * A producer that is meant to be killed. Appends auctions to a new journal as fast as it can, each
 * told from the others by its price, and prints how many are committed.
 */
function writeUntilKilled(path: string, ringWords: number): never {
  const journal = createJournal(path, ringWords);
  const bidderIds = Array.from({ length: BIDDERS_OF_WRITER }, (_, i) => `b${i}`);
  const supply = supplyOf("supply1", bidderIds);
  const states = bidderIds.map(() => BidderState.bid);
  const lengths: number[] = [];
  for (let count = 1; ; count++) {
    if (!journal.hasRoom(1)) {
      const half = lengths.splice(0, lengths.length >> 1);
      journal.release(journal.tail() + half.reduce((sum, length) => sum + length, 0));
    }
    const start = journal.committed();
    const winner = count % BIDDERS_OF_WRITER;
    journal.append(outcomeOf(supply, { states, winner, clearingPriceMicros: count }));
    lengths.push(journal.committed() - start);
    if (count % 1000 === 0) writeSync(1, `${count}\n`);
  }
}
