import { MICROS } from "../auction/clearing.ts";
import type { Verdict } from "../limiter/limiter.ts";
import type { WindowLimit } from "../store/store.ts";
import { PROBLEMS, type ProblemCode, problemHeaders, problemJson } from "./problem.ts";

/** Answers to bids that were read: thousands a second, so what never changes is made beforehand. */
export interface BidAnswers {
  /**
   * 200 with the winner and what it pays.
   * @param explanation  JSON, for those who asked why
   */
  won(ticket: Ticket, bidderId: string, priceMicros: number, explanation?: string): Response;
  problem(code: ProblemCode, ticket: Ticket, detail: string, explanation?: string): Response;
  /** 429 from a verdict that refuses. */
  rateLimited(requestId: string, verdict: Verdict): Response;
}

/** What every answer to a bid says in its headers. */
interface Ticket {
  readonly requestId: string;
  /** The limiter's, once it has answered. */
  readonly verdict: Verdict | undefined;
}

export function createBidAnswers(limit: WindowLimit): BidAnswers {
  const wonHeaders = createHeaders(limit, JSON_HEADERS);
  const headersOf = Object.fromEntries(
    (Object.keys(PROBLEMS) as ProblemCode[]).map((code) => [
      code,
      createHeaders(limit, problemHeaders(code)),
    ]),
  ) as Record<ProblemCode, HeadersOf>;
  const quota = `At most ${limit.max} bids in ${limit.windowMs / 1000} seconds.`;
  let shownRetryAfter = 0;

  function won(ticket: Ticket, bidderId: string, priceMicros: number, why?: string): Response {
    const result = JSON.stringify({ winner: bidderId, price: priceMicros / MICROS });
    const body = why === undefined ? result : `${result.slice(0, -1)}${explained(why)}}`;
    return new Response(body, { headers: wonHeaders(ticket) });
  }

  const problem = (code: ProblemCode, ticket: Ticket, detail: string, why?: string) =>
    new Response(problemJson(code, ticket.requestId, detail, explained(why)), {
      status: PROBLEMS[code][0],
      headers: headersOf[code](ticket),
    });

  function rateLimited(requestId: string, verdict: Verdict): Response {
    const seconds = Math.max(1, toSeconds(verdict.resetMs));
    const headers = headersOf.rate_limited({ requestId, verdict });
    if (seconds !== shownRetryAfter) {
      shownRetryAfter = seconds;
      headers.set("retry-after", String(seconds));
    }
    const detail = `${quota} Retry in ${seconds} s.`;
    return new Response(problemJson("rate_limited", requestId, detail), {
      status: PROBLEMS.rate_limited[0],
      headers,
    });
  }

  return { won, problem, rateLimited };
}

const explained = (why: string | undefined) => (why === undefined ? "" : `,"explain":${why}`);

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** The same object each time, good until the next call: a Response copies what it is given. */
type HeadersOf = (ticket: Ticket) => Headers;

/** IETF draft-ietf-httpapi-ratelimit-headers: what is left, and seconds until there is more. */
function createHeaders(limit: WindowLimit, fixed: Record<string, string>): HeadersOf {
  const policy = `"ip";q=${limit.max};w=${Math.ceil(limit.windowMs / 1000)}`;
  const plain = new Headers(fixed);
  const limited = new Headers({ ...fixed, "ratelimit-policy": policy });
  // Set again only when it changes: new clients are all told the same, as is one that is refused.
  let shownRemaining = -1;
  let shownReset = -1;
  return ({ requestId, verdict }) => {
    const headers = verdict ? limited : plain;
    headers.set("x-request-id", requestId);
    if (verdict) {
      // Where everybody is admitted without the store, nothing counts down.
      const remaining = Math.min(verdict.remaining, limit.max);
      const reset = toSeconds(verdict.resetMs);
      if (remaining !== shownRemaining || reset !== shownReset) {
        shownRemaining = remaining;
        shownReset = reset;
        headers.set("ratelimit", `"ip";r=${remaining};t=${reset}`);
      }
    }
    return headers;
  };
}

const toSeconds = (ms: number) => Math.ceil(ms / 1000);
