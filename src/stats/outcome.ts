import type { Supply } from "../catalog/catalog.ts";

/** How one bidder of the supply ended. The numbers are the journal's: three bits each. */
export const BidderState = {
  notAsked: 0,
  bid: 1,
  noBid: 2,
  timeout: 3,
  error: 4,
  invalid: 5,
} as const;
export type BidderState = (typeof BidderState)[keyof typeof BidderState];

/** One auction that was held: what the statistics count. */
export interface AuctionOutcome {
  readonly supply: Supply;
  /** Of the catalog that it was held with. */
  readonly catalogVersion: number;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** Places in `supply.bidders` of those who bid for the country, in catalog order. */
  readonly eligible: readonly number[];
  /** How each of `eligible` ended, in the same order. */
  readonly states: readonly BidderState[];
  /** Place of the winner in `supply.bidders`, or -1. */
  readonly winner: number;
  /** What the winner pays; 0 without a winner. Below 2^32. */
  readonly clearingPriceMicros: number;
}
