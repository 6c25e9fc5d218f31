import { createActor } from "../actor/actor.ts";
import type { CatalogBidder, Supply } from "../catalog/catalog.ts";
import { type AuctionOutcome, BidderState } from "../stats/outcome.ts";
import type { AuctionEnd, Bidder, BidRequest, BidResponse, Device } from "./bidder.ts";
import { type Bid, type Clearing, clear } from "./clearing.ts";
import { collect, type LateAnswer } from "./collect.ts";

/** What an auction is held for, once checked. */
export interface Offer {
  /** Unique to the auction: the request's id. */
  readonly auctionId: string;
  readonly supply: Supply;
  /** Of the catalog that the supply is of. */
  readonly catalogVersion: number;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** Monotonic clock, milliseconds: `tmaxMs` begins here and includes what the limiter takes. */
  readonly arrivedAtMs: number;
  readonly tmaxMs: number;
  /** True when nobody waits for the answer any more: the auction must not be counted. */
  readonly isAbandoned: boolean;
  device(): Device;
  /** Calls back when the client goes away before its answer. */
  onClientGone(listener: () => void): void;
}

/** An auction with all that its bidders said, for those who want to know why it ended as it did. */
export interface HeldAuction extends AuctionOutcome {
  readonly auctionId: string;
  readonly tmaxMs: number;
  /** From the arrival of the bid to the decision. */
  readonly elapsedMs: number;
  /** Of each of `eligible`; none: it was not back in time. */
  readonly answers: readonly (BidResponse | undefined)[];
  /** Of each of `eligible` that did not answer at once, but in time, milliseconds. */
  readonly latenciesMs: readonly (number | undefined)[];
  readonly end: AuctionEnd;
  readonly cleared: Clearing | undefined;
}

export interface AuctioneerOptions {
  /** Most auctions that may be reserved or running. */
  capacity: number;
  /** The bidder behind a catalog entry. */
  bidderOf: (entry: CatalogBidder) => Bidder;
  /** Commits the outcome: it is counted from here on. Throws when it cannot be. */
  record: (outcome: AuctionOutcome) => void;
  onFault: (fault: unknown) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
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
   * Holds an auction on a reserved place and records its outcome, when the last bidder that is
   * waited for has answered or `tmaxMs` is over, counted from the offer's arrival.
   * @returns undefined when the offer was abandoned meanwhile: nothing was recorded. At once where
   *   every bidder answers at once
   */
  hold(offer: Offer): Held | Promise<Held>;
  /** Auctions reserved or running. */
  depth(): number;
  /** Resolves when no auction is reserved or running. */
  drain(): Promise<void>;
}

/** An auction that was held, or none where nobody waits for it any more. */
type Held = HeldAuction | undefined;

const NOBODY: readonly number[] = [];
const NO_LATENCIES: readonly undefined[] = [];
/** Micros; a journal record has 32 bits for it. */
const PRICE_MAX = 2 ** 32 - 1;

export function createAuctioneer(options: AuctioneerOptions): Auctioneer {
  const { capacity, bidderOf, record, onFault, now = () => performance.now() } = options;
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
    if (offer.isAbandoned) {
      release();
      return undefined;
    }
    const { supply, auctionId, country, tmaxMs } = offer;
    const eligible = supply.eligible.get(country) ?? NOBODY;
    const startedAtMs = now();
    const deadlineAtMs = offer.arrivedAtMs + tmaxMs;
    const endListeners: ((end: AuctionEnd) => void)[] = [];
    const request: BidRequest = {
      auctionId,
      supply,
      country,
      deadlineAtMs,
      device: () => offer.device(),
      onEnd: (listener) => void endListeners.push(listener),
    };
    const answers: (BidResponse | undefined)[] = new Array(eligible.length);
    const late: LateAnswer[] = [];
    // The limiter may have used up the time: whatever would be answered now is too late.
    const isOver = startedAtMs >= deadlineAtMs;
    for (let i = 0; i < eligible.length && !isOver; i++) {
      solicit(i, supply.bidders[eligible[i]!]!, request, answers, late);
    }
    if (late.length === 0) {
      const decided = decide(offer, eligible, answers, startedAtMs - offer.arrivedAtMs);
      return close(offer, isOver ? { ...decided, end: "deadline" } : decided);
    }

    const latenciesMs: (number | undefined)[] = new Array(eligible.length);
    const collected = collect({
      late,
      leftMs: Math.ceil(deadlineAtMs - startedAtMs), // Timers know whole ones.
      setTimer,
      clearTimer,
      onClientGone: (listener) => offer.onClientGone(listener),
      onAnswer(index, answer) {
        answers[index] = answer;
        latenciesMs[index] = now() - startedAtMs;
      },
      onFault,
    });
    return collected.then((end) => {
      for (const listener of endListeners) listener(end);
      if (end === "abandoned") return close(offer, undefined);
      const elapsedMs = now() - offer.arrivedAtMs;
      const decided = decide(offer, eligible, answers, elapsedMs);
      return close(offer, { ...decided, latenciesMs, end });
    });
  }

  function solicit(
    index: number,
    entry: CatalogBidder,
    request: BidRequest,
    answers: (BidResponse | undefined)[],
    late: LateAnswer[],
  ): void {
    try {
      const bidder = bidderOf(entry);
      const answer = bidder.bid(request);
      if (answer instanceof Promise) late.push({ index, answer, isAwaited: bidder.isAwaited });
      else answers[index] = answer;
    } catch (fault) {
      onFault(fault);
      answers[index] = { kind: "error", reason: "our fault" };
    }
  }

  /** @param held  none where its client has gone */
  function close(offer: Offer, held: Held): Held {
    try {
      if (!held || offer.isAbandoned) return undefined;
      record(held);
      return held;
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
  offer: Offer,
  eligible: readonly number[],
  answers: readonly (BidResponse | undefined)[],
  elapsedMs: number,
): HeldAuction {
  const { supply } = offer;
  const bids: Bid[] = [];
  const states: BidderState[] = [];
  for (let i = 0; i < eligible.length; i++) {
    const answer = answers[i];
    const state = stateOf(answer);
    states.push(state);
    if (state === BidderState.bid) {
      bids.push({ place: eligible[i]!, priceMicros: (answer as PricedBid).priceMicros });
    }
  }
  const cleared = clear(bids, supply);
  return {
    supply,
    catalogVersion: offer.catalogVersion,
    country: offer.country,
    eligible,
    states,
    winner: cleared?.winner.place ?? -1,
    clearingPriceMicros: cleared?.clearingPriceMicros ?? 0,
    auctionId: offer.auctionId,
    tmaxMs: offer.tmaxMs,
    elapsedMs,
    answers,
    latenciesMs: NO_LATENCIES,
    end: "decided",
    cleared,
  };
}

type PricedBid = Extract<BidResponse, { kind: "bid" }>;

function stateOf(answer: BidResponse | undefined): BidderState {
  if (answer === undefined) return BidderState.timeout;
  if (answer.kind !== "bid") return BidderState[answer.kind];
  // A price that is no price is that bidder's fault and ends nobody else's auction.
  const { priceMicros } = answer;
  const isPrice = Number.isInteger(priceMicros) && priceMicros > 0 && priceMicros <= PRICE_MAX;
  return isPrice ? BidderState.bid : BidderState.invalid;
}
