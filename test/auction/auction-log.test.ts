import { describe, expect, test } from "bun:test";
import { createAuctionLog, formatAuction } from "../../src/auction/auction-log.ts";
import type { HeldAuction } from "../../src/auction/auctioneer.ts";
import { holdScripted, supplyWith } from "../support/auctions.ts";
import { until } from "../support/until.ts";

const US = { country: "US" };

describe("a block", () => {
  test("tells what was offered, how each bidder ended and why, and the decision", async () => {
    const bidders = { b1: US, b2: US, b3: US, b4: US, b5: { country: "GB" } };
    const held = await holdScripted(supplyWith(bidders, { floor: 0.25, auction: "second_price" }), {
      answers: {
        b1: { kind: "bid", priceMicros: 420_000 },
        b2: { kind: "noBid" },
        b3: { kind: "bid", priceMicros: 1_000_000 },
        b4: { kind: "invalid", code: 3, reason: "not JSON" },
      },
    });
    expect(formatAuction({ ...held, latenciesMs: [12.34], elapsedMs: 37.21 })).toBe(
      "auction s US: auction-1, second_price, floor 0.25, 37.2 of 100 ms, catalog 7\n" +
        "  b1: lost, 0.42, 12.3 ms, code 102 (outbid, 0.43 to win)\n" +
        "  b2: no bid (declined)\n" +
        "  b3: won, 1 (highest bid, pays 0.43)\n" +
        "  b4: invalid, code 3 (not JSON)\n" +
        "  b5: not asked (bids for GB, not for US)\n" +
        "  winner b3 pays 0.43\n",
    );
  });

  test("tells apart who was not there, who did not want and who was too late", async () => {
    const [nobody, somebody] = [supplyWith({}), supplyWith({ b1: US, b2: US })];
    expect(formatAuction(await holdScripted(nobody, { answers: {} }))).toBe(
      "auction s US: auction-1, first_price, floor 0, 0 of 100 ms, catalog 7\n" +
        "  no eligible bidder\n",
    );
    const held = await holdScripted(somebody, { answers: { b1: { kind: "noBid" } } });
    expect(formatAuction(held)).toBe(
      "auction s US: auction-1, first_price, floor 0, 0 of 100 ms, catalog 7\n" +
        "  b1: no bid (declined)\n" +
        "  b2: timeout (no answer within 100 ms)\n" +
        "  no bids\n",
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

const declined = await holdScripted(supplyWith({ b: US }), { answers: { b: { kind: "noBid" } } });
/** An auction whose block is told from the others. */
const numbered = (i: number): HeldAuction => ({ ...declined, auctionId: `n${i}` });
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
      const first = formatAuction(numbered(Number(/: n(\d+)/.exec(texts[i]!)![1])));
      expect(texts[i - 1]!.length + first.length).toBeGreaterThan(4_096);
    }
  });

  test("writes a block whole that is longer than a pipe takes", async () => {
    const { texts, write } = createReader();
    const log = createAuctionLog({ every: 1, write });
    const many = Array.from({ length: 1_000 }, (_, i) => [`bidder${i}`, US] as const);
    const long = await holdScripted(supplyWith(Object.fromEntries(many)), { answers: {} });
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
