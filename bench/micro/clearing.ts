import { type AuctionRules, type Bid, clear } from "../../src/auction/clearing.ts";
import { printTiming, readRounds, timeRounds } from "../timing.ts";

/* What does it cost to pick the winner among five bids, two of them equal? */
const AUCTIONS = 100_000;
const RULES: AuctionRules = { auction: "second_price", floorMicros: 100_000 };

const auctions: Bid[][] = Array.from({ length: 100 }, (_, auction) =>
  [37, 91, 12, 91, 64].map((cents, place) => ({
    place,
    priceMicros: ((cents * (auction + 1)) % 100 || 1) * 10_000,
  })),
);

let checksum = 0;
const timing = timeRounds(readRounds(50), AUCTIONS, () => {
  for (let i = 0; i < AUCTIONS; i++) {
    checksum += clear(auctions[i % auctions.length]!, RULES)?.winner.place ?? 0;
  }
});
printTiming("clearing of five bids", timing, checksum);
