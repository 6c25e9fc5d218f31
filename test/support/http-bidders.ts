import type { AuctionEnd, Bidder, BidRequest, BidResponse } from "../../src/auction/bidder.ts";
import { createBidRequestWriter } from "../../src/bidders/bid-request.ts";
import { createHttpBidder, type HttpBidderOptions } from "../../src/bidders/http-bidder.ts";
import type { CatalogBidder } from "../../src/catalog/catalog.ts";
import type { BidderDocument, SupplyDocument } from "../../src/catalog/document.ts";
import { bidRequestOf, supplyWith } from "./auctions.ts";

const LONG_MS = 60_000;

/** A bidder of a catalog with this endpoint, and whatever else its entry says. */
export const entryOf = (endpoint: string, settings: Partial<BidderDocument> = {}): CatalogBidder =>
  supplyWith({ b: { country: "US", endpoint, ...settings } }).bidders[0]!;

/** The bidder behind an entry as one worker of one makes it. */
export const httpBidderOf = (
  entry: CatalogBidder,
  differently: Partial<HttpBidderOptions> = {},
): Bidder =>
  createHttpBidder(entry, {
    egress: { allowPrivate: true },
    workers: 1,
    priceMax: 1_000,
    writer: createBidRequestWriter("truncated"),
    onChange: () => {},
    ...differently,
  });

/** An auction with one bidder: what it was asked, and the end of it. */
export interface Asking {
  readonly request: BidRequest;
  readonly answer: Promise<BidResponse>;
  /** Ends the auction for its bidders. */
  end(why: AuctionEnd): void;
}

export interface AskOptions {
  /** The auction's deadline; ends it. None: a minute, which nobody waits for. */
  tmaxMs?: number;
  supply?: Omit<SupplyDocument, "bidders">;
  given?: Partial<BidRequest>;
}

/** Asks a bidder as the auctioneer does. */
export function ask(bidder: Bidder, options: AskOptions = {}): Asking {
  const { tmaxMs, supply = {}, given = {} } = options;
  const listeners: ((end: AuctionEnd) => void)[] = [];
  const end = (why: AuctionEnd) => {
    for (const listener of listeners.splice(0)) listener(why);
  };
  const request = bidRequestOf(supplyWith({ b: { country: "US" } }, supply), {
    deadlineAtMs: performance.now() + (tmaxMs ?? LONG_MS),
    onEnd: (listener) => void listeners.push(listener),
    ...given,
  });
  if (tmaxMs !== undefined) setTimeout(() => end("deadline"), tmaxMs);
  return { request, answer: Promise.resolve(bidder.bid(request)), end };
}
