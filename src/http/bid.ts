import { MailboxFullError } from "../actor/actor.ts";
import type { Auctioneer, HeldAuction, Offer } from "../auction/auctioneer.ts";
import type { Device } from "../auction/bidder.ts";
import type { Catalog, Supply } from "../catalog/catalog.ts";
import { LimiterClosedError } from "../limiter/fallback.ts";
import type { Limiter, Verdict } from "../limiter/limiter.ts";
import type { WindowLimit } from "../store/store.ts";
import { createBidAnswers } from "./bid-answers.ts";
import { writeExplanation } from "./bid-explanation.ts";
import type { ReadBid, ReadBidRequest } from "./bid-request.ts";
import type { ClientAddresses } from "./client-address.ts";
import type { Deadlines } from "./deadlines.ts";
import { problem } from "./problem.ts";
import type { RequestIdOf } from "./request-id.ts";

export interface BidRouteOptions {
  readBid: ReadBidRequest;
  requestIdOf: RequestIdOf;
  clients: ClientAddresses;
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
  /** Whether a caller may ask why an auction ended as it did, with `?explain=1`. */
  explains: boolean;
  /** Told of each auction held, once it is counted. */
  onHeld: ((held: HeldAuction) => void) | undefined;
  /** Monotonic clock, milliseconds; the auctioneer's. */
  now?: () => number;
}

/** Knows the other end of a request's socket, while it is open. */
export interface Sockets {
  requestIP(request: Request): { readonly address: string } | null;
}

/** Answers POST /bid. Every refusal is one line below, in the contract's order. */
export type HandleBid = (request: Request, sockets: Sockets | null) => Promise<Response>;

export function createBidRoute(options: BidRouteOptions): HandleBid {
  const { readBid, requestIdOf, clients, catalog, limiter, auctioneer, deadlines } = options;
  const { limit, tmaxDefaultMs, canRecord, explains, onHeld } = options;
  const { now = () => performance.now() } = options;
  const answers = createBidAnswers(limit);

  const handleBid: HandleBid = (request, sockets) => {
    const requestId = requestIdOf(request);
    return readBid(request, (read) => answer(request, sockets, requestId, read));
  };

  function answer(
    request: Request,
    sockets: Sockets | null,
    requestId: string,
    read: ReadBid,
  ): Response | Promise<Response> {
    if ("code" in read) return problem(read.code, { requestId, ...read });
    const { supplies, version } = catalog();
    const supply = supplies.get(read.body.supply_id);
    const unadmitted = { requestId, verdict: undefined };
    if (!supply) return answers.problem("unknown_supply", unadmitted, UNKNOWN_SUPPLY);
    const hasRoom = canRecord(supply) && (limiter?.hasRoom() ?? true) && auctioneer.reserve();
    if (!hasRoom) return answers.problem("overloaded", unadmitted, OVERLOADED);

    const arrivedAtMs = now();
    const asked = limiter?.admit(clientFrom(request, sockets));
    // Known from memory: most refusals are, and need none of what an auction is held for.
    if (asked && !(asked instanceof Promise) && !asked.isAdmitted) return refuse(requestId, asked);
    const bid: PendingBid = {
      requestId,
      verdict: undefined,
      isExplained: explains && asksWhy(request),
      auctionId: requestId,
      supply,
      catalogVersion: version,
      country: read.country,
      arrivedAtMs,
      tmaxMs: read.body.tmax ?? tmaxDefaultMs,
      isAbandoned: false,
      device: () => deviceOf(request, sockets),
      onClientGone: (listener) => listenForAbort(request.signal, listener),
    };
    const answered =
      asked instanceof Promise
        ? asked.then(
            (verdict) => decide(bid, verdict),
            (fault) => withoutVerdict(bid, fault),
          )
        : decide(bid, asked);
    // What is answered from memory has nothing to wait for.
    return answered instanceof Promise ? deadlines.guard(answered, () => giveUp(bid)) : answered;
  }

  const clientFrom = (request: Request, sockets: Sockets | null) =>
    clients.keyOf(sockets?.requestIP(request)?.address, request.headers.get("x-forwarded-for"));

  const deviceOf = (request: Request, sockets: Sockets | null): Device => ({
    ip: clients.ipOf(sockets?.requestIP(request)?.address, request.headers.get("x-forwarded-for")),
    userAgent: request.headers.get("user-agent") ?? undefined,
  });

  /** @param verdict  undefined when the limiter is off */
  function decide(bid: PendingBid, verdict: Verdict | undefined): Response | Promise<Response> {
    bid.verdict = verdict;
    if (verdict && !verdict.isAdmitted) return refuse(bid.requestId, verdict);
    const held = auctioneer.hold(bid);
    return held instanceof Promise
      ? held.then((auction) => conclude(bid, auction))
      : conclude(bid, held);
  }

  function refuse(requestId: string, verdict: Verdict): Response {
    auctioneer.release();
    return answers.rateLimited(requestId, verdict);
  }

  function withoutVerdict(bid: PendingBid, fault: unknown): Response {
    auctioneer.release();
    const isRefusal = fault instanceof MailboxFullError || fault instanceof LimiterClosedError;
    if (isRefusal) return answers.problem("overloaded", bid, OVERLOADED);
    throw fault;
  }

  function conclude(bid: PendingBid, held: HeldAuction | undefined): Response {
    if (!held) return answers.problem("deadline", bid, GIVEN_UP);
    onHeld?.(held);
    const { supply, eligible, winner, clearingPriceMicros } = held;
    const why = bid.isExplained ? writeExplanation(held) : undefined;
    if (eligible.length === 0) {
      return answers.problem("no_eligible_bidders", bid, NOBODY_ELIGIBLE, why);
    }
    if (winner < 0) return answers.problem("no_bids", bid, NO_BIDS, why);
    return answers.won(bid, supply.bidders[winner]!.id, clearingPriceMicros, why);
  }

  /** The deadline answers instead: whatever is still to come is not counted. */
  function giveUp(bid: PendingBid): Response {
    bid.isAbandoned = true;
    return answers.problem("deadline", bid, GIVEN_UP);
  }

  return handleBid;
}

/** A bid that is being answered; at the same time what its auction is held for. */
interface PendingBid extends Offer {
  readonly requestId: string;
  /** Of the limiter, once it has answered. */
  verdict: Verdict | undefined;
  readonly isExplained: boolean;
  isAbandoned: boolean;
}

/** Also of a client that has gone already, while the limiter was asked: that is told no more. */
function listenForAbort(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener);
}

/** Of the query alone: the host in front of it is the client's word, and may be none. */
const asksWhy = ({ url }: Request) =>
  url.includes("explain=1") &&
  new URLSearchParams(url.slice(url.indexOf("?"))).get("explain") === "1";

const UNKNOWN_SUPPLY = "The catalog has no such supply_id.";
const OVERLOADED = "Nothing was begun and no quota used.";
const GIVEN_UP = "The auction was given up, not counted.";
const NOBODY_ELIGIBLE = "No bidder of this supply bids for that country.";
const NO_BIDS = "No eligible bidder made a bid that could win.";
