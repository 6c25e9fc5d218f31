import type { HeldAuction } from "./auctioneer.ts";
import { type BidderExplanation, explain, writeMoney } from "./explanation.ts";

/** A pipe takes this much in one piece: below it, three processes never mix their lines. */
const WRITE_BYTES_MAX = 4_096;
/** Beyond it blocks are left out and counted: a reader that stalls must not stall auctions. */
const PENDING_BLOCKS_MAX = 2_000;
const FLUSH_MS = 50;

export interface AuctionLogOptions {
  /** One auction in this many is logged, at least 1. */
  every: number;
  /** Writes a text whole; resolves when the reader has room again. */
  write: (text: string) => Promise<void> | void;
}

export interface AuctionLog {
  log(held: HeldAuction): void;
  /** Resolves when all that was logged is written. */
  stop(): Promise<void>;
}

/** Writes auctions as blocks, each one whole, in batches. Ids and countries were validated. */
export function createAuctionLog({ every, write }: AuctionLogOptions): AuctionLog {
  let blocks: string[] = [];
  let seen = 0;
  let leftOut = 0;
  let writing: Promise<void> = Promise.resolve();
  let isWriting = false;
  const timer = setInterval(flush, FLUSH_MS);

  function log(held: HeldAuction): void {
    if (seen++ % every !== 0) return;
    if (blocks.length >= PENDING_BLOCKS_MAX) leftOut++;
    else blocks.push(formatAuction(held));
  }

  function flush(): void {
    if (isWriting || blocks.length === 0) return;
    isWriting = true;
    writing = writeAll().finally(() => {
      isWriting = false;
    });
  }

  async function writeAll(): Promise<void> {
    const due = blocks;
    blocks = [];
    if (leftOut > 0) due.push(`(${leftOut} auctions not logged: the reader is too slow)\n`);
    leftOut = 0;
    for (const text of packBlocks(due)) await write(text);
  }

  async function stop(): Promise<void> {
    clearInterval(timer);
    await writing;
    flush();
    await writing;
  }

  return { log, stop };
}

/** Joins whole blocks into texts that a pipe takes in one piece. */
function packBlocks(blocks: readonly string[]): string[] {
  const texts: string[] = [];
  let text = "";
  for (const block of blocks) {
    if (text.length + block.length > WRITE_BYTES_MAX && text !== "") {
      texts.push(text);
      text = "";
    }
    text += block;
  }
  texts.push(text);
  return texts;
}

/** One auction in a few lines: what was offered, how each bidder ended and why, the decision. */
export function formatAuction(held: HeldAuction): string {
  const { supply, country, winner, clearingPriceMicros, eligible } = held;
  const { auctionId, catalogVersion, tmaxMs, elapsedMs } = held;
  const rules = `${supply.auction}, floor ${writeMoney(supply.floorMicros)}`;
  const times = `${writeMs(elapsedMs)} of ${tmaxMs} ms`;
  const lines = [
    `auction ${supply.id} ${country}: ${auctionId}, ${rules}, ${times}, catalog ${catalogVersion}`,
    ...explain(held).map(formatBidder),
  ];
  if (winner >= 0) {
    lines.push(`  winner ${supply.bidders[winner]!.id} pays ${writeMoney(clearingPriceMicros)}`);
  } else lines.push(eligible.length === 0 ? "  no eligible bidder" : "  no bids");
  return `${lines.join("\n")}\n`;
}

function formatBidder(row: BidderExplanation): string {
  const { bidderId, state, code, priceMicros, latencyMs, reason } = row;
  const facts = [
    state.replace("_", " "),
    ...(priceMicros === null ? [] : [writeMoney(priceMicros)]),
    ...(latencyMs ? [`${writeMs(latencyMs)} ms`] : []),
    ...(code ? [`code ${code}`] : []),
  ];
  return `  ${bidderId}: ${facts.join(", ")} (${reason})`;
}

const writeMs = (ms: number) => String(Math.round(ms * 10) / 10);
