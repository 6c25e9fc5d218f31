/** The least price, and what second price adds to the runner-up's bid. */
export const CENT_MICROS = 10_000;
/** In one dollar. */
export const MICROS = 1_000_000;

/** A bid that takes part in the decision. */
export interface Bid {
  /** Place among the supply's bidders: the tie-break. */
  readonly place: number;
  /** CPM in integer micros, above 0. */
  readonly priceMicros: number;
}

/** What a supply says about its auctions. */
export interface AuctionRules {
  readonly auction: "first_price" | "second_price";
  /** Whole cents; 0 for none. */
  readonly floorMicros: number;
}

export interface Clearing {
  readonly winner: Bid;
  /** What the winner pays: whole cents, at least the floor, at most its own bid. */
  readonly clearingPriceMicros: number;
  /** The second highest bid that met the floor. */
  readonly runnerUp: Bid | undefined;
}

/** The lowest bid that can win: the floor, or one cent where there is none. */
export const lowestWinning = ({ floorMicros }: AuctionRules) => Math.max(floorMicros, CENT_MICROS);

/**
 * Picks the winner: the highest bid that meets the floor. Equal prices go to the bidder that the
 * supply lists first, whatever the order of the bids.
 *
 * It pays its own bid, or by second price one cent more than the runner-up bid, or the floor where
 * there is none (OpenRTB 2.6, 4.4.1); fractions of a cent are let go.
 * @returns undefined when no bid met the floor
 * @throws RangeError on a price that is not integer micros above 0: our bug, so crash
 */
export function clear(bids: readonly Bid[], rules: AuctionRules): Clearing | undefined {
  const leastMicros = lowestWinning(rules);
  let winner: Bid | undefined;
  let runnerUp: Bid | undefined;
  for (const bid of bids) {
    // Not by `assert`, whose message would be written for each bid.
    const isPrice = Number.isSafeInteger(bid.priceMicros) && bid.priceMicros > 0;
    if (!isPrice) throw new RangeError(`no price at place ${bid.place}: ${bid.priceMicros}`);
    if (bid.priceMicros < leastMicros) continue;
    if (!winner || beats(bid, winner)) {
      runnerUp = winner;
      winner = bid;
    } else if (!runnerUp || beats(bid, runnerUp)) runnerUp = bid;
  }
  if (!winner) return undefined;
  const ownMicros = winner.priceMicros;
  const secondMicros = runnerUp ? runnerUp.priceMicros + CENT_MICROS : leastMicros;
  const dueMicros = rules.auction === "first_price" ? ownMicros : Math.min(ownMicros, secondMicros);
  return { winner, clearingPriceMicros: dueMicros - (dueMicros % CENT_MICROS), runnerUp };
}

const beats = (a: Bid, b: Bid) =>
  a.priceMicros > b.priceMicros || (a.priceMicros === b.priceMicros && a.place < b.place);

/**
 * The price at which a bid would have tied: the runner-up's bid or the floor for the winner; for
 * the others what the winner bid, or by second price what it pays. As in the tables of OpenRTB 2.6,
 * 4.4.1 (`${AUCTION_MIN_TO_WIN}`), which give it to bids below the floor as well.
 */
export function minToWin(place: number, cleared: Clearing, rules: AuctionRules): number {
  const { winner, clearingPriceMicros, runnerUp } = cleared;
  if (place === winner.place) return runnerUp?.priceMicros ?? lowestWinning(rules);
  return rules.auction === "first_price" ? winner.priceMicros : clearingPriceMicros;
}
