/** What a bidder is asked. */
export interface BidRequest {
  readonly supplyId: string;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** Milliseconds that the bidder has, from now. */
  readonly tmaxMs: number;
}

/** What a bidder answered. A timeout is the auction's to find, not the bidder's to say. */
export type BidResponse =
  /** Integer micros, above 0. */
  | { readonly kind: "bid"; readonly priceMicros: number }
  | { readonly kind: "noBid" }
  | { readonly kind: "error" };

/** Who competes. It may answer at once or later; a rejection is an error of that bidder alone. */
export interface Bidder {
  readonly id: string;
  bid(request: BidRequest): BidResponse | Promise<BidResponse>;
}
