import { createActor } from "../actor/actor.ts";
import type { CatalogBidder, Supply } from "../catalog/catalog.ts";
import { type AuctionOutcome, BidderState } from "../stats/outcome.ts";
import type { Bidder, BidRequest, BidResponse } from "./bidder.ts";
import { type Bid, clear } from "./clearing.ts";

/** What an auction is held for, once checked. */
export interface Offer {
  readonly supply: Supply;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  readonly tmaxMs: number;
  /** True when nobody waits for the answer any more: the auction must not be counted. */
  readonly isAbandoned: boolean;
}

export interface AuctioneerOptions {
  /** Most auctions that may be reserved or running. */
  capacity: number;
  /** The bidder behind a catalog entry. */
  bidderOf: (entry: CatalogBidder) => Bidder;
  /** Commits the outcome: it is counted from here on. Throws when it cannot be. */
  record: (outcome: AuctionOutcome) => void;
  onFault: (fault: unknown) => void;
  setTimer?: (wake: () => void, ms: number) => unknown;
  clearTimer?: (timer: unknown) => void;
}

/** The auction actor. It knows no I/O: bidders, statistics and the clock are handed in. */
export interface Auctioneer {
  /** Takes a place for an auction before the caller's quota is spent. False: no room. */
  reserve(): boolean;
  /** Gives back a place whose auction is not held. */
  release(): void;
  /**
   * Holds an auction on a reserved place and records its outcome, when the last bidder has answered
   * or `tmaxMs` is over.
   * @returns undefined when the offer was abandoned meanwhile: nothing was recorded. At once where
   *   every bidder answers at once
   */
  hold(offer: Offer): Held | Promise<Held>;
  /** Auctions reserved or running. */
  depth(): number;
  /** Resolves when no auction is reserved or running. */
  drain(): Promise<void>;
}

/** An auction's outcome, or none where nobody waits for it any more. */
type Held = AuctionOutcome | undefined;

const NOBODY: readonly number[] = [];
/** Micros; a journal record has 32 bits for it. */
const PRICE_MAX = 2 ** 32 - 1;
type PricedBid = Extract<BidResponse, { kind: "bid" }>;

export function createAuctioneer(options: AuctioneerOptions): Auctioneer {
  const { capacity, bidderOf, record, onFault } = options;
  const { setTimer = setTimeout, clearTimer = clearTimeout as (timer: unknown) => void } = options;
  const idle: (() => void)[] = [];
  let depth = 0;

  function reserve(): boolean {
    if (depth >= capacity) return false;
    depth++;
    return true;
  }

  function release(): void {
    if (--depth === 0) for (const wake of idle.splice(0)) wake();
  }

  // A place is reserved before the mailbox is told, so it is never full.
  const actor = createActor({ name: "auction", capacity, handle: begin, onFault });

  function begin(offer: Offer): Held | Promise<Held> {
    const { supply, country, tmaxMs } = offer;
    if (offer.isAbandoned) {
      release();
      return undefined;
    }
    const asked = supply.eligible.get(country) ?? NOBODY;
    const request: BidRequest = { supplyId: supply.id, country, tmaxMs };
    const answers: (BidResponse | undefined)[] = new Array(asked.length);
    const late: Promise<void>[] = [];
    for (let i = 0; i < asked.length; i++) {
      const answer = solicit(supply.bidders[asked[i]!]!, request);
      if (!(answer instanceof Promise)) answers[i] = answer;
      else {
        late.push(
          answer.then(
            (response) => {
              answers[i] = response;
            },
            (fault) => {
              answers[i] = { kind: "error" };
              onFault(fault);
            },
          ),
        );
      }
    }
    if (late.length === 0) return close(offer, asked, answers);
    return withinTmax(Promise.all(late), tmaxMs).then(() => close(offer, asked, answers));
  }

  function solicit(entry: CatalogBidder, request: BidRequest): BidResponse | Promise<BidResponse> {
    try {
      return bidderOf(entry).bid(request);
    } catch (fault) {
      onFault(fault);
      return { kind: "error" };
    }
  }

  /** Resolves when all have answered or the time is over, whichever is first. */
  function withinTmax(answered: Promise<unknown>, tmaxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimer(resolve, tmaxMs);
      answered.then(() => {
        clearTimer(timer);
        resolve();
      });
    });
  }

  function close(
    offer: Offer,
    asked: readonly number[],
    answers: readonly (BidResponse | undefined)[],
  ): Held {
    try {
      if (offer.isAbandoned) return undefined;
      const outcome = decide(offer.supply, offer.country, asked, answers);
      record(outcome);
      return outcome;
    } finally {
      release();
    }
  }

  async function drain(): Promise<void> {
    if (depth > 0) await new Promise<void>((resolve) => idle.push(resolve));
  }

  return { reserve, release, hold: actor.ask, depth: () => depth, drain };
}

/** Judges the answers that are there; one that is missing is a timeout. */
function decide(
  supply: Supply,
  country: string,
  asked: readonly number[],
  answers: readonly (BidResponse | undefined)[],
): AuctionOutcome {
  const bids: Bid[] = [];
  const states: BidderState[] = [];
  const pricesMicros: number[] = [];
  for (let i = 0; i < asked.length; i++) {
    const answer = answers[i];
    const state = stateOf(answer);
    states.push(state);
    const priceMicros = state === BidderState.bid ? (answer as PricedBid).priceMicros : 0;
    pricesMicros.push(priceMicros);
    if (priceMicros > 0) bids.push({ place: asked[i]!, priceMicros });
  }
  const winner = clear(bids);
  return {
    supply,
    country,
    asked,
    states,
    pricesMicros,
    winner: winner?.place ?? -1,
    clearingPriceMicros: winner?.priceMicros ?? 0,
  };
}

function stateOf(answer: BidResponse | undefined): BidderState {
  if (answer === undefined) return BidderState.timeout;
  if (answer.kind === "noBid") return BidderState.noBid;
  if (answer.kind !== "bid") return BidderState.error;
  // A price that is no price is that bidder's fault and ends nobody else's auction.
  const { priceMicros } = answer;
  const isPrice = Number.isInteger(priceMicros) && priceMicros > 0 && priceMicros <= PRICE_MAX;
  return isPrice ? BidderState.bid : BidderState.error;
}
