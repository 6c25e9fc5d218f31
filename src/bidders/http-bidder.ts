import {
  type AuctionEnd,
  type Bidder,
  type BidRequest,
  type BidResponse,
  NO_BID,
} from "../auction/bidder.ts";
import type { CatalogBidder } from "../catalog/catalog.ts";
import type { EgressRule } from "../catalog/egress.ts";
import { createAddressBook } from "./address-book.ts";
import type { BidRequestWriter } from "./bid-request.ts";
import { judgeResponse, type ResponseRules } from "./bid-response.ts";
import { createBreaker, type Permit, type Verdict } from "./breaker.ts";
import { createConnectionPool } from "./connection-pool.ts";
import { createNetworkTime } from "./network-time.ts";
import { createQuota } from "./quota.ts";
import type { BidderReply, BidderTransport, Call } from "./transport.ts";

/** Calls of one worker that may be under way where the catalog names no `max_in_flight`. */
const IN_FLIGHT_MAX = 256;
/** What we need ourselves from a bidder's answer to the client's, milliseconds. */
const RESERVE_MS = 3;
/** No bidder across a network can be blamed for not answering in less, milliseconds. */
const FAIR_MS = 10;
/** How much of a new answer's time counts for what is usual. */
const SHARE = 1 / 8;

export interface HttpBidderOptions {
  egress: EgressRule;
  /** Workers that call the bidder, each with its share of `max_qps`. */
  workers: number;
  /** CPM. */
  priceMax: number;
  /** One for all bidders, so that they share what it has written. */
  writer: BidRequestWriter;
  /** Told at each change of the breaker: what keeps the bidder from being asked, or nothing. */
  onChange: (trouble: string | undefined) => void;
  /** Monotonic clock, milliseconds; the one of `deadlineAtMs`. */
  now?: () => number;
  setTimer?: (wake: () => void, ms: number) => unknown;
  clearTimer?: (timer: unknown) => void;
  /** Opens the way to the server; a test may put another one there. */
  openTransport?: (options: TransportOptions) => BidderTransport;
}

interface TransportOptions {
  url: URL;
  egress: EgressRule;
  connectionsMax: number;
  onOpen: (handshakeMs: number) => void;
}

/**
 * The actor of one bidder behind HTTP: it holds a bounded number of calls, and refuses beyond it.
 * It asks with OpenRTB 2.6 and counts as failed what is no answer: a timeout, an error of transport
 * or status, an invalid body. Calls that were cut short because a client left are nobody's fault.
 */
export function createHttpBidder(entry: CatalogBidder, options: HttpBidderOptions): Bidder {
  const { id, settings } = entry;
  const { egress, workers, priceMax, writer, onChange, now = () => performance.now() } = options;
  const { setTimer = setTimeout, clearTimer = clearTimeout as (timer: unknown) => void } = options;
  const { openTransport = openConnections } = options;
  const inFlightMax = settings.max_in_flight ?? IN_FLIGHT_MAX;
  const timeoutMs = settings.timeout_ms ?? Number.POSITIVE_INFINITY;
  const rules: ResponseRules = { seat: settings.seat, priceMax };
  const url = new URL(settings.endpoint!);
  const head = writeHead(url, entry);
  const share = settings.max_qps === undefined ? undefined : settings.max_qps / workers;
  const quota = share === undefined ? undefined : createQuota(share, now);
  const breaker = createBreaker({ onChange, now });
  const network = createNetworkTime();
  const transport = openTransport({
    url,
    egress,
    connectionsMax: inFlightMax,
    onOpen: network.noteHandshake,
  });
  let inFlight = 0;
  /** A moving mean of what its answers took, milliseconds. */
  let usualMs = 0;

  function bid(request: BidRequest): BidResponse | Promise<BidResponse> {
    if (request.deadlineAtMs <= now()) return TOO_LATE;
    const permit = breaker.permit();
    if (!permit) return notAsked(breaker.trouble()!);
    if (inFlight >= inFlightMax) {
      permit.report("neutral");
      return notAsked(`${inFlight} calls in flight, at most ${inFlightMax}`);
    }
    if (quota && !quota.take()) {
      permit.report("neutral");
      return notAsked(
        `used up its ${settings.max_qps} calls a second, shared by ${workers} workers`,
      );
    }
    try {
      return call(request, permit);
    } catch (fault) {
      permit.report("neutral");
      throw fault;
    }
  }

  function call(request: BidRequest, permit: Permit): Promise<BidResponse> {
    const sentAtMs = now();
    const auctionMs = request.deadlineAtMs - sentAtMs;
    const { promise, resolve, reject } = Promise.withResolvers<BidResponse>();
    let underway: Call | undefined;
    let timer: unknown;
    let isOver = false;

    function end(verdict: Verdict, reason?: string): void {
      isOver = true;
      inFlight--;
      if (timer !== undefined) clearTimer(timer);
      permit.report(verdict, reason);
    }

    function take(response: BidResponse): void {
      const isGood = response.kind === "bid" || response.kind === "noBid";
      end(isGood ? "good" : "failed", "reason" in response ? response.reason : undefined);
      resolve(response);
    }

    function cut(verdict: Verdict, reason: string): void {
      underway?.abort();
      end(verdict, reason);
      resolve({ kind: "timeout", reason });
    }

    const cutAfter = (ms: number, isFair: boolean) =>
      cut(isFair ? "failed" : "neutral", `no answer within ${Math.round(ms)} ms`);
    /** Too short a time says nothing of the bidder: clients choose how long they wait. */
    const cutAtDeadline = () => cutAfter(auctionMs, auctionMs >= Math.max(FAIR_MS, usualMs));

    function onEnd(why: AuctionEnd): void {
      if (isOver) return;
      if (why === "deadline") cutAtDeadline();
      else if (why === "abandoned") cut("neutral", "the client left");
      // Nobody needs the answer, but a call that ends by itself leaves its connection for others.
      else timer ??= setTimer(cutAtDeadline, request.deadlineAtMs - now());
    }

    const text = message(request, auctionMs);
    inFlight++;
    underway = transport.send(text, {
      onReply(reply) {
        let response: BidResponse;
        try {
          response = judge(reply, request.auctionId, now() - sentAtMs);
        } catch (fault) {
          end("neutral"); // Ours, not the bidder's.
          return reject(fault);
        }
        take(response);
      },
      onFailure: (reason) => take({ kind: "error", reason }),
    });
    if (timeoutMs < auctionMs) timer = setTimer(() => cutAfter(timeoutMs, true), timeoutMs);
    request.onEnd(onEnd);
    return promise;
  }

  function message(request: BidRequest, auctionMs: number): string | Buffer {
    const leftMs = Math.min(auctionMs - RESERVE_MS, timeoutMs) - network.ms();
    const body = writer.write(request, Math.max(1, Math.floor(leftMs)));
    if (!settings.gzip) return `${head}${body.length}\r\n\r\n${body}`;
    const zipped = Bun.gzipSync(body, { level: 1 });
    return Buffer.concat([Buffer.from(`${head}${zipped.length}\r\n\r\n`), zipped]);
  }

  function judge({ status, body }: BidderReply, auctionId: string, tookMs: number): BidResponse {
    network.noteCall(tookMs);
    if (status !== 200 && status !== 204) return { kind: "error", reason: wordsOfStatus(status) };
    usualMs += (tookMs - usualMs) * (usualMs === 0 ? 1 : SHARE);
    return status === 204 ? NO_BID : judgeResponse(body.toString(), auctionId, rules);
  }

  return {
    id,
    isAwaited: settings.wait ?? true,
    bid,
    trouble: breaker.trouble,
    retire: transport.retire,
  };
}

const TOO_LATE: BidResponse = { kind: "timeout", reason: "no time was left to ask it" };

const wordsOfStatus = (status: number) =>
  status >= 300 && status < 400
    ? `status ${status}, redirects are not followed`
    : `status ${status}`;

const notAsked = (reason: string): BidResponse => ({ kind: "notAsked", reason });

/** Everything of a request before its length. OpenRTB 2.6, 2.1 to 2.5. */
function writeHead(url: URL, { settings }: CatalogBidder): string {
  const headers = {
    host: url.host,
    connection: "keep-alive",
    "content-type": "application/json",
    accept: "application/json",
    "accept-encoding": settings.gzip ? "gzip" : "identity",
    "x-openrtb-version": "2.6",
    ...settings.headers,
    ...(settings.gzip && { "content-encoding": "gzip" }),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}content-length: `;
}

function openConnections({ url, egress, ...rest }: TransportOptions): BidderTransport {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isSecure = url.protocol === "https:";
  const port = Number(url.port) || (isSecure ? 443 : 80);
  const peer = { port, ...(isSecure && { tls: { serverName: host } }) };
  return createConnectionPool({ addresses: createAddressBook({ host, egress }), peer, ...rest });
}
