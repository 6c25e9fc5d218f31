import { type AuctionOutcome, BidderState } from "./outcome.ts";
import { formatMicros } from "./report.ts";

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
  log(outcome: AuctionOutcome): void;
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

  function log(outcome: AuctionOutcome): void {
    if (seen++ % every !== 0) return;
    if (blocks.length >= PENDING_BLOCKS_MAX) leftOut++;
    else blocks.push(formatAuction(outcome));
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

/** One auction in a few lines: supply and country, each bidder asked, the decision. */
export function formatAuction(outcome: AuctionOutcome): string {
  const { supply, country, asked, states, pricesMicros, winner, clearingPriceMicros } = outcome;
  const lines = [`auction ${supply.id} ${country}`];
  asked.forEach((place, i) => {
    lines.push(`  ${supply.bidders[place]!.id}: ${describeState(states[i]!, pricesMicros[i]!)}`);
  });
  if (winner >= 0) {
    const price = formatMicros(BigInt(clearingPriceMicros));
    lines.push(`  winner ${supply.bidders[winner]!.id} pays ${price}`);
  } else lines.push(asked.length === 0 ? "  no eligible bidder" : "  no bids");
  return `${lines.join("\n")}\n`;
}

function describeState(state: BidderState, priceMicros: number): string {
  if (state === BidderState.bid) return formatMicros(BigInt(priceMicros));
  if (state === BidderState.noBid) return "no bid";
  return state === BidderState.timeout ? "timeout" : "error";
}
