/*
 * A producer that is meant to be killed. Appends auctions to a new journal as fast as it can, each
 * told from the others by its price, and prints how many are committed.
 */
import { writeSync } from "node:fs";
import { createJournal } from "../../src/stats/journal.ts";
import { BidderState } from "../../src/stats/outcome.ts";
import { outcomeOf, supplyOf } from "./auctions.ts";

const [path, ringWords] = process.argv.slice(2);
const journal = createJournal(path!, Number(ringWords));
const supply = supplyOf(
  "supply1",
  Array.from({ length: 12 }, (_, i) => `b${i}`),
);
const states = supply.bidders.map(() => BidderState.bid);

const lengths: number[] = [];
for (let count = 1; ; count++) {
  if (!journal.hasRoom(1)) {
    const half = lengths.splice(0, lengths.length >> 1);
    journal.release(journal.tail() + half.reduce((sum, length) => sum + length, 0));
  }
  const before = journal.committed();
  journal.append(outcomeOf(supply, { states, winner: count % 12, clearingPriceMicros: count }));
  lengths.push(journal.committed() - before);
  if (count % 1000 === 0) writeSync(1, `${count}\n`);
}
