import { describe, expect, test } from "bun:test";
import { createAuctionLog, formatAuction } from "../../src/stats/auction-log.ts";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";
import { outcomeOf, supplyOf } from "../support/auctions.ts";
import { until } from "../support/until.ts";

const { bid, noBid, timeout, error, notAsked } = BidderState;
const supply = supplyOf("supply1", ["bidder1", "bidder2", "bidder3", "bidder4", "bidder5"]);

describe("a block", () => {
  test("tells the supply, the country, each bidder that was asked, and the decision", () => {
    const outcome: AuctionOutcome = {
      supply,
      country: "GB",
      asked: [0, 1, 2, 3],
      states: [bid, noBid, bid, error],
      pricesMicros: [420_000, 0, 1_000_000, 0],
      winner: 2,
      clearingPriceMicros: 1_000_000,
    };
    expect(formatAuction(outcome)).toBe(
      "auction supply1 GB\n" +
        "  bidder1: 0.42\n" +
        "  bidder2: no bid\n" +
        "  bidder3: 1\n" +
        "  bidder4: error\n" +
        "  winner bidder3 pays 1\n",
    );
  });

  test("tells apart who was not there, who did not want and who was too late", () => {
    expect(formatAuction(outcomeOf(supply))).toBe("auction supply1 US\n  no eligible bidder\n");
    const states = [noBid, timeout, notAsked, notAsked, notAsked];
    expect(formatAuction(outcomeOf(supply, { states }))).toBe(
      "auction supply1 US\n  bidder1: no bid\n  bidder2: timeout\n  no bids\n",
    );
  });
});

/** Takes texts, and is ready for the next one when the test says so. */
function createReader(isSlow = false) {
  const texts: string[] = [];
  const ready: (() => void)[] = [];
  let isOpen = !isSlow;
  return {
    texts,
    write(text: string): Promise<void> | void {
      texts.push(text);
      if (!isOpen) return new Promise((resolve) => ready.push(resolve));
    },
    /** Takes all that comes from now on. */
    open() {
      isOpen = true;
      for (const resolve of ready.splice(0)) resolve();
    },
  };
}

/** An auction whose block is told from the others. */
const numbered = (i: number) => outcomeOf(supplyOf(`supply${i}`, ["b"]), { states: [noBid] });
const blocksOf = (texts: readonly string[]) =>
  texts.flatMap((text) => text.match(/^auction /gm) ?? []);

describe("the log", () => {
  test("writes every auction once, in order, in whole blocks of at most 4,096 bytes", async () => {
    const { texts, write } = createReader();
    const log = createAuctionLog({ every: 1, write });
    for (let i = 0; i < 1_000; i++) log.log(numbered(i));
    await log.stop();
    expect(texts.join("")).toBe(
      Array.from({ length: 1_000 }, (_, i) => formatAuction(numbered(i))).join(""),
    );
    for (const text of texts) {
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4_096);
      expect(text).toStartWith("auction ");
      expect(text).toEndWith("no bids\n");
    }
    // Packed: two neighbours would not fit into one.
    for (let i = 1; i < texts.length; i++) {
      const first = formatAuction(numbered(Number(/supply(\d+)/.exec(texts[i]!)![1])));
      expect(texts[i - 1]!.length + first.length).toBeGreaterThan(4_096);
    }
  });

  test("writes a block whole that is longer than a pipe takes", async () => {
    const { texts, write } = createReader();
    const log = createAuctionLog({ every: 1, write });
    const large = supplyOf(
      "large",
      Array.from({ length: 1_000 }, (_, i) => `bidder${i}`),
    );
    const long = outcomeOf(large, { states: large.bidders.map(() => noBid) });
    const outcomes = [long, numbered(1), long, numbered(2)];
    for (const outcome of outcomes) log.log(outcome);
    await log.stop();
    expect(texts).toEqual(outcomes.map(formatAuction));
  });

  test("writes one auction in so many", async () => {
    const { texts, write } = createReader();
    const log = createAuctionLog({ every: 10, write });
    for (let i = 0; i < 25; i++) log.log(numbered(i));
    await log.stop();
    expect(texts.join("")).toBe([0, 10, 20].map((i) => formatAuction(numbered(i))).join(""));
  });

  test("waits for the reader before it writes on", async () => {
    const { texts, write, open } = createReader(true);
    const log = createAuctionLog({ every: 1, write });
    for (let i = 0; i < 500; i++) log.log(numbered(i));
    const stopped = log.stop();
    await Bun.sleep(0);
    expect(texts).toHaveLength(1);
    open();
    await stopped;
    expect(blocksOf(texts)).toHaveLength(500);
  });

  test("leaves out what a reader that stalls has no time for, and says how many", async () => {
    const { texts, write, open } = createReader(true);
    const log = createAuctionLog({ every: 1, write });
    for (let i = 0; i < 5_000; i++) log.log(numbered(i));
    open();
    await log.stop();
    expect(blocksOf(texts)).toHaveLength(2_000);
    expect(texts.at(-1)).toEndWith("(3000 auctions not logged: the reader is too slow)\n");
    expect(texts.join("").match(/not logged/g)).toHaveLength(1);
    for (const text of texts) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4_096);
  });

  test("says once what was left out, and goes on", async () => {
    const { texts, write, open } = createReader(true);
    const log = createAuctionLog({ every: 1, write });
    log.log(numbered(0));
    await until("the reader stalls", () => texts.length === 1);
    for (let i = 1; i <= 2_500; i++) log.log(numbered(i));
    open();
    await until("it was said", () => texts.at(-1)!.includes("(500 auctions not logged"));
    log.log(numbered(2_501));
    await log.stop();
    expect(texts.at(-1)).toBe(formatAuction(numbered(2_501)));
    expect(texts.join("").match(/not logged/g)).toHaveLength(1);
    expect(blocksOf(texts)).toHaveLength(2_002);
  });

  test("writes nothing when there was no auction", async () => {
    const { texts, write } = createReader();
    await createAuctionLog({ every: 1, write }).stop();
    expect(texts).toEqual([]);
  });
});
