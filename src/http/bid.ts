import { MailboxFullError } from "../actor/actor.ts";
import type { Auctioneer, Offer } from "../auction/auctioneer.ts";
import type { Catalog, Supply } from "../catalog/catalog.ts";
import { LimiterClosedError } from "../limiter/fallback.ts";
import type { Limiter, Verdict } from "../limiter/limiter.ts";
import type { AuctionOutcome } from "../stats/outcome.ts";
import type { WindowLimit } from "../store/store.ts";
import type { ReadBidRequest } from "./bid-request.ts";
import type { ClientOf } from "./client-address.ts";
import type { Deadlines } from "./deadlines.ts";
import { problem } from "./problem.ts";
import type { RequestIdOf } from "./request-id.ts";

const MICROS = 1_000_000;

export interface BidRouteOptions {
  readBid: ReadBidRequest;
  requestIdOf: RequestIdOf;
  clientOf: ClientOf;
  catalog: () => Catalog;
  /** False: no auction of the supply may begin, because its outcome could not be recorded. */
  canRecord: (supply: Supply) => boolean;
  /** None: the limiter is off. */
  limiter: Limiter | undefined;
  limit: WindowLimit;
  auctioneer: Auctioneer;
  deadlines: Deadlines;
  /** Milliseconds for a request that names no tmax. */
  tmaxDefaultMs: number;
  /** Told of each auction held, once it is counted. */
  onHeld: ((outcome: AuctionOutcome) => void) | undefined;
}

/** Answers POST /bid. Every refusal is one line below, in the contract's order. */
export type HandleBid = (request: Request, socketAddress: string | undefined) => Promise<Response>;

export function createBidRoute(options: BidRouteOptions): HandleBid {
  const { readBid, requestIdOf, clientOf, catalog, limiter, auctioneer, deadlines } = options;
  const { limit, tmaxDefaultMs, canRecord, onHeld } = options;
  const policy = `"ip";q=${limit.max};w=${Math.ceil(limit.windowMs / 1000)}`;

  async function handleBid(request: Request, socketAddress: string | undefined) {
    const requestId = requestIdOf(request);
    const read = await readBid(request);
    if ("code" in read) return problem(read.code, { requestId, ...read });
    const supply = catalog().supplies.get(read.body.supply_id);
    if (!supply) {
      return problem("unknown_supply", { requestId, detail: "The catalog has no such supply_id." });
    }
    const client = clientOf(socketAddress, request.headers.get("x-forwarded-for"));
    const hasRoom = canRecord(supply) && (limiter?.hasRoom() ?? true) && auctioneer.reserve();
    if (!hasRoom) return overloaded(requestId);

    const asked = limiter?.admit(client);
    if (asked && "isAdmitted" in asked && !asked.isAdmitted) {
      auctioneer.release(); // Refused from memory: there is nothing to wait for.
      return refuse(requestId, asked, limitHeaders(asked));
    }
    const bid: PendingBid = { requestId, headers: {}, isAbandoned: false };
    const offer: Offer = {
      supply,
      country: read.country,
      tmaxMs: read.body.tmax ?? tmaxDefaultMs,
      isAbandoned: () => bid.isAbandoned,
    };
    return deadlines.guard(admitAndHold(bid, asked, offer), () => {
      bid.isAbandoned = true;
      return givenUp(bid);
    });
  }

  async function admitAndHold(bid: PendingBid, asked: Asked, offer: Offer): Promise<Response> {
    const { requestId } = bid;
    if (asked) {
      const verdict = await admitted(asked);
      if (!verdict) return overloaded(requestId);
      bid.headers = limitHeaders(verdict);
      if (!verdict.isAdmitted) return refuse(requestId, verdict, bid.headers);
    }
    const outcome = await auctioneer.hold(offer);
    if (!outcome) return givenUp(bid);
    onHeld?.(outcome);
    return answer(requestId, outcome, bid.headers);
  }

  /** The verdict, or undefined when none is to be had. Without an admission no place is kept. */
  async function admitted(asked: NonNullable<Asked>): Promise<Verdict | undefined> {
    let isAdmitted = false;
    try {
      const verdict = await asked;
      isAdmitted = verdict.isAdmitted;
      return verdict;
    } catch (fault) {
      if (fault instanceof MailboxFullError || fault instanceof LimiterClosedError)
        return undefined;
      throw fault;
    } finally {
      if (!isAdmitted) auctioneer.release();
    }
  }

  /** IETF draft-ietf-httpapi-ratelimit-headers: what is left, and seconds until there is more. */
  const limitHeaders = ({ remaining, resetMs }: Verdict): Record<string, string> => ({
    "ratelimit-policy": policy,
    // Where everybody is admitted without the store, nothing counts down.
    ratelimit: `"ip";r=${Math.min(remaining, limit.max)};t=${Math.ceil(resetMs / 1000)}`,
  });

  function refuse(requestId: string, { resetMs }: Verdict, headers: Record<string, string>) {
    const seconds = Math.max(1, Math.ceil(resetMs / 1000));
    const quota = `At most ${limit.max} bids in ${limit.windowMs / 1000} seconds.`;
    const detail = `${quota} Retry in ${seconds} s.`;
    return problem("rate_limited", {
      requestId,
      detail,
      headers: { ...headers, "retry-after": String(seconds) },
    });
  }

  return handleBid;
}

/** What the limiter was asked for this bid; undefined when it is off. */
type Asked = Verdict | Promise<Verdict> | undefined;

/** A bid that is being answered. */
interface PendingBid {
  readonly requestId: string;
  /** Of the limiter, once it has answered. */
  headers: Record<string, string>;
  /** True when the deadline has answered instead. */
  isAbandoned: boolean;
}

const givenUp = ({ requestId, headers }: PendingBid) =>
  problem("deadline", { requestId, detail: "The auction was given up, not counted.", headers });

const overloaded = (requestId: string) =>
  problem("overloaded", { requestId, detail: "Nothing was begun and no quota used." });

function answer(requestId: string, outcome: AuctionOutcome, headers: Record<string, string>) {
  const { supply, asked, winner, clearingPriceMicros } = outcome;
  if (asked.length === 0) {
    const detail = "No bidder of this supply bids for that country.";
    return problem("no_eligible_bidders", { requestId, detail, headers });
  }
  if (winner < 0) {
    const detail = "Every eligible bidder declined or was too late.";
    return problem("no_bids", { requestId, detail, headers });
  }
  return new Response(winnerJson(supply, winner, clearingPriceMicros), {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-request-id": requestId,
      ...headers,
    },
  });
}

const winnerJson = (supply: Supply, winner: number, priceMicros: number) =>
  JSON.stringify({ winner: supply.bidders[winner]!.id, price: priceMicros / MICROS });
