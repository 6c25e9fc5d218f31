import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { createJournal } from "../../src/stats/journal.ts";
import { BidderState } from "../../src/stats/outcome.ts";
import { printTiming, readRounds, summarizeRounds, timeRound } from "../timing.ts";

/* What does it cost to commit one outcome to the journal? */
const ROUNDS = readRounds(20);
const RECORDS = 100_000;

const dir = mkdtempSync(join(tmpdir(), "journal-"));
const journal = createJournal(join(dir, "bench.journal"));
const catalog = buildCatalog(
  {
    supplies: { supply1: ["a", "b", "c"] },
    bidders: { a: { country: "US" }, b: { country: "GB" }, c: { country: "US" } },
  },
  1,
);
const supply = catalog.supplies.get("supply1")!;
const outcome = {
  supply,
  catalogVersion: 1,
  country: "US",
  eligible: [0, 2],
  states: [BidderState.bid, BidderState.noBid],
  winner: 0,
  clearingPriceMicros: 420_000,
};

let checksum = 0;
// The room is made again between two rounds, so each is timed alone.
const rounds = Array.from({ length: ROUNDS }, () => {
  const nanoseconds = timeRound(RECORDS, () => {
    for (let i = 0; i < RECORDS; i++) journal.append(outcome);
  });
  journal.scan(journal.tail(), journal.committed(), (record) => {
    checksum += record.clearingPriceMicros;
  });
  journal.release(journal.committed());
  return nanoseconds;
});
journal.close();
rmSync(dir, { recursive: true });
printTiming("journal record", summarizeRounds(rounds), checksum);
