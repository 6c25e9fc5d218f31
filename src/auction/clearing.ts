import assert from "node:assert";

/** A bid that takes part in the decision. */
export interface Bid {
  /** Place among the supply's bidders: the tie-break. */
  readonly place: number;
  /** Integer micros, above 0. */
  readonly priceMicros: number;
}

/**
 * Picks the winner of a first-price auction: the highest bid wins and pays its own price. Equal
 * prices go to the bidder that the supply lists first, whatever the order of the bids.
 * @returns the winning bid, or undefined when nobody bid
 * @throws AssertionError on a price that is not integer micros above 0: our bug, so crash
 */
export function clear(bids: readonly Bid[]): Bid | undefined {
  let winner: Bid | undefined;
  for (const bid of bids) {
    assert(Number.isSafeInteger(bid.priceMicros), `fractional price at place ${bid.place}`);
    assert(bid.priceMicros > 0, `price not above 0 at place ${bid.place}`);
    const isHigher = !winner || bid.priceMicros > winner.priceMicros;
    const isTie = winner !== undefined && bid.priceMicros === winner.priceMicros;
    if (isHigher || (isTie && bid.place < winner!.place)) winner = bid;
  }
  return winner;
}
