import type { Supply } from "../catalog/catalog.ts";

/** How one bidder of the supply ended. The numbers are the journal's: three bits each. */
export const BidderState = {
  notAsked: 0,
  bid: 1,
  noBid: 2,
  timeout: 3,
  error: 4,
} as const;
export type BidderState = (typeof BidderState)[keyof typeof BidderState];

/** One auction that was held: what the statistics count, and what the client is told. */
export interface AuctionOutcome {
  readonly supply: Supply;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** Places in `supply.bidders` of those who were asked, in catalog order. */
  readonly asked: readonly number[];
  /** How each of `asked` ended, in the same order. */
  readonly states: readonly BidderState[];
  /** What each of `asked` bid; 0 for those who did not. */
  readonly pricesMicros: readonly number[];
  /** Place of the winner in `supply.bidders`, or -1. */
  readonly winner: number;
  /** What the winner pays; 0 without a winner. Below 2^32. */
  readonly clearingPriceMicros: number;
}
