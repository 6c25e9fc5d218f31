import { gunzipSync } from "node:zlib";
import { type Answer, BAD_REQUEST, compress, createAnswers, type Identity } from "./answers.ts";
import { type BidRequest, findProblem, type HeaderReader } from "./bid-request.ts";
import { createDecisions } from "./decisions.ts";
import { type Fault, isFault, type Misbehaviour, type Profile } from "./profile.ts";

/** Most bytes of a request, also after decompression. */
export const BODY_BYTES_MAX = 1024 * 1024;

/** A bidder to play. */
export interface StubOrder extends Identity {
  readonly profile: Profile;
  readonly seed: number;
}

/** One POST as it came in. */
export interface Call {
  readonly header: HeaderReader;
  /** Bytes where it has a content encoding. */
  readonly body: string | Uint8Array;
}

interface Reply {
  readonly answer: Answer;
  /** Before the first byte of it. */
  readonly latencyMs: number;
  /** What becomes of the answer on its way. */
  readonly fault: Fault | undefined;
}

/** What a stub has seen, as `GET /counters` says it. */
export interface Counters {
  requests: number;
  /** TCP connections on which requests came. */
  connections: number;
  /** Answered 400; the others are in `answers`. */
  bad_requests: number;
  /** Why, for the last of them. */
  last_problem: string | null;
  /** Requests whose client left before the end of the answer. */
  aborted: number;
  /** Clients that went where a redirect pointed. */
  redirects_followed: number;
  answers: Partial<Record<"bid" | "no_bid" | Misbehaviour, number>>;
}

/** Decides what a bidder says, and counts; knows no network. */
export interface StubBidder {
  receive(call: Call): Reply;
  readonly counters: Counters;
}

export function createStubBidder({ profile, seed, ...identity }: StubOrder): StubBidder {
  const decide = createDecisions(identity.id, profile, seed);
  const answers = createAnswers(identity);
  const counters: Counters = {
    requests: 0,
    connections: 0,
    bad_requests: 0,
    last_problem: null,
    aborted: 0,
    redirects_followed: 0,
    answers: {},
  };

  function receive(call: Call): Reply {
    counters.requests++;
    const body = parse(call);
    const problem = findProblem(call.header, body);
    if (problem !== undefined) {
      counters.bad_requests++;
      counters.last_problem = problem;
      return { answer: BAD_REQUEST, latencyMs: 0, fault: undefined };
    }
    const decision = decide();
    const { kind, latencyMs } = decision;
    counters.answers[kind] = (counters.answers[kind] ?? 0) + 1;
    const answer = answers.write(body as BidRequest, decision);
    if (isFault(kind)) return { answer, latencyMs, fault: kind };
    const isCompressed = profile.gzip && /\bgzip\b/.test(call.header("accept-encoding") ?? "");
    return { answer: isCompressed ? compress(answer) : answer, latencyMs, fault: undefined };
  }

  return { receive, counters };
}

/** Undefined for what is not JSON, which is no bid request either. */
function parse({ header, body }: Call): unknown {
  try {
    if (typeof body === "string") return JSON.parse(body);
    if (header("content-encoding") !== "gzip") return undefined;
    return JSON.parse(gunzipSync(body, { maxOutputLength: BODY_BYTES_MAX }).toString());
  } catch {
    return undefined;
  }
}
