import { MailboxFullError } from "../actor/actor.ts";
import type { Auctioneer, HeldAuction } from "../auction/auctioneer.ts";
import type { Device } from "../auction/bidder.ts";
import type { Catalog, Supply } from "../catalog/catalog.ts";
import { LimiterClosedError } from "../limiter/fallback.ts";
import type { Limiter, Verdict } from "../limiter/limiter.ts";
import type { WindowLimit } from "../store/store.ts";
import { createBidAnswers } from "./bid-answers.ts";
import { writeExplanation } from "./bid-explanation.ts";
import type { ReadBid } from "./bid-request.ts";
import type { ClientAddresses } from "./client-address.ts";
import type { Deadlines } from "./deadlines.ts";
import { type Arrival, PendingBid, type Sockets, type Steps } from "./pending-bid.ts";
import { problem } from "./problem.ts";
import type { RequestIdOf } from "./request-id.ts";

export interface BidRouteOptions {
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

/**
 * Answers POST /bid, at once where nobody is waited for. Every refusal is one line below, in the
 * contract's order. Throws or rejects where the fault is ours.
 * @param read  what body and headers hold, or the problem to answer
 */
export type HandleBid = (
  request: Request,
  sockets: Sockets,
  read: ReadBid,
) => Response | Promise<Response>;

export function createBidRoute(options: BidRouteOptions): HandleBid {
  const { requestIdOf, clients, catalog, limiter, auctioneer, deadlines } = options;
  const { limit, tmaxDefaultMs, canRecord, explains, onHeld } = options;
  const { now = () => performance.now() } = options;
  const answers = createBidAnswers(limit);

  const handleBid: HandleBid = (request, sockets, read) => {
    const requestId = requestIdOf(request);
    const arrival = { request, sockets, requestId };
    if ("code" in read) return problem(read.code, { requestId, ...read });
    const { supplies, version } = catalog();
    const supply = supplies.get(read.body.supply_id);
    const unadmitted = { requestId, verdict: undefined };
    if (!supply) return answers.problem("unknown_supply", unadmitted, UNKNOWN_SUPPLY);
    const hasRoom = canRecord(supply) && (limiter?.hasRoom() ?? true) && auctioneer.reserve();
    if (!hasRoom) return answers.problem("overloaded", unadmitted, OVERLOADED);

    const arrivedAtMs = now();
    const client = limiter ? clientOf(arrival) : "";
    const verdict = limiter?.admit(client);
    // Known from memory: most refusals are, and need none of what an auction is held for.
    if (verdict && !verdict.isAdmitted) return refuse(requestId, verdict);
    const bid = new PendingBid(arrival, steps, {
      supply,
      catalogVersion: version,
      country: read.country,
      arrivedAtMs,
      tmaxMs: read.body.tmax ?? tmaxDefaultMs,
      isExplained: explains && asksWhy(arrival.request),
    });
    if (!limiter || verdict) return inTime(bid, decide(bid, verdict));
    const answered = wait(bid); // First: the limiter may tell at once.
    limiter.ask(client, bid);
    return answered;
  };

  function inTime(bid: PendingBid, answered: Response | Promise<Response>) {
    if (!(answered instanceof Promise)) return answered; // From memory: nobody waits.
    const waited = wait(bid);
    bid.settle(answered);
    return waited;
  }

  function wait(bid: PendingBid): Promise<Response> {
    deadlines.enter(bid);
    return bid.wait();
  }

  const addressOf = ({ request, sockets }: Arrival) => sockets.requestIP(request)?.address;
  const forwardedFor = ({ request }: Arrival) => request.headers.get("x-forwarded-for");
  const clientOf = (arrival: Arrival) => clients.keyOf(addressOf(arrival), forwardedFor(arrival));

  const deviceOf = (arrival: Arrival): Device => ({
    ip: clients.ipOf(addressOf(arrival), forwardedFor(arrival)),
    userAgent: arrival.request.headers.get("user-agent") ?? undefined,
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

  function refuseUndecided(bid: PendingBid, fault: unknown): Response {
    auctioneer.release();
    if (fault instanceof MailboxFullError) return answers.problem("overloaded", bid, OVERLOADED);
    if (fault instanceof LimiterClosedError) return answers.problem("overloaded", bid, UNDECIDED);
    throw fault;
  }

  function conclude(bid: PendingBid, held: HeldAuction | undefined): Response {
    if (!held) return giveUp(bid);
    onHeld?.(held);
    const { supply, eligible, winner, clearingPriceMicros } = held;
    const why = bid.isExplained ? writeExplanation(held) : undefined;
    if (eligible.length === 0) {
      return answers.problem("no_eligible_bidders", bid, NOBODY_ELIGIBLE, why);
    }
    if (winner < 0) return answers.problem("no_bids", bid, NO_BIDS, why);
    return answers.won(bid, supply.bidders[winner]!.id, clearingPriceMicros, why);
  }

  const giveUp = (bid: PendingBid) => answers.problem("deadline", bid, GIVEN_UP);

  const steps: Steps = { decide, refuseUndecided, giveUp, deviceOf };
  return handleBid;
}

/** Of the query alone: the host in front of it is the client's word, and may be none. */
const asksWhy = ({ url }: Request) =>
  url.includes("explain=1") &&
  new URLSearchParams(url.slice(url.indexOf("?"))).get("explain") === "1";

const UNKNOWN_SUPPLY = "The catalog has no such supply_id.";
const OVERLOADED = "Nothing was begun and no quota used.";
/** A store that answers too late may have taken it off the quota. */
const UNDECIDED = "The limiter's store does not answer; nothing was begun.";
const GIVEN_UP = "The auction was given up, not counted.";
const NOBODY_ELIGIBLE = "No bidder of this supply bids for that country.";
const NO_BIDS = "No eligible bidder made a bid that could win.";
