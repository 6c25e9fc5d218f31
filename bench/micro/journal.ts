import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { createJournal } from "../../src/stats/journal.ts";
import { BidderState } from "../../src/stats/outcome.ts";

/* What does it cost to commit one outcome to the journal? Prints nanoseconds and a checksum. */
const ROUNDS = Number(process.argv[2] ?? 20);
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

const nanoseconds: number[] = [];
let checksum = 0;
for (let round = 0; round < ROUNDS; round++) {
  const beganAt = Bun.nanoseconds();
  for (let i = 0; i < RECORDS; i++) journal.append(outcome);
  nanoseconds.push((Bun.nanoseconds() - beganAt) / RECORDS);
  journal.scan(journal.tail(), journal.committed(), (record) => {
    checksum += record.clearingPriceMicros;
  });
  journal.release(journal.committed());
}
journal.close();
rmSync(dir, { recursive: true });

nanoseconds.sort((a, b) => a - b);
const median = nanoseconds[Math.floor(nanoseconds.length / 2)]!;
console.log(
  `journal record: ${median.toFixed(0)} ns (median of ${ROUNDS} rounds, least ` +
    `${nanoseconds[0]!.toFixed(0)}), checksum ${checksum}`,
);
