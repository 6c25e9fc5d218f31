/** Every way a request can end without its answer: status and title, by code. */
export const PROBLEMS = {
  malformed_json: [400, "The body is not JSON"],
  unknown_supply: [400, "No such supply"],
  no_eligible_bidders: [400, "No bidder for this country"],
  no_bids: [400, "Nobody bid"],
  not_found: [404, "Not found"],
  method_not_allowed: [405, "Method not allowed"],
  body_too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The body must be application/json"],
  invalid_request: [422, "The request breaks a rule"],
  rate_limited: [429, "Too many bids from this client"],
  internal: [500, "Our fault"],
  overloaded: [503, "Too much to do"],
  deadline: [503, "Not done in time"],
  shutting_down: [503, "Shutting down"],
  stats_unavailable: [503, "The statistics cannot be had now"],
} as const satisfies Record<string, readonly [status: number, title: string]>;
export type ProblemCode = keyof typeof PROBLEMS;

/** One broken rule of a request. */
export interface Violation {
  /** JSON pointer into the body, or `#/headers/<name>`. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemOptions {
  readonly requestId: string;
  readonly detail: string;
  readonly violations?: readonly Violation[];
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * An error answer (RFC 9457). `detail` is ours, never the caller's input: an echo would make the
 * answer as large as the request and carry whatever it holds.
 */
export function problem(code: ProblemCode, options: ProblemOptions): Response {
  const { requestId, detail, violations, headers } = options;
  const [status, title] = PROBLEMS[code];
  const body = {
    type: "about:blank",
    title,
    status,
    detail,
    code,
    request_id: requestId,
    ...(violations && { errors: violations }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": requestId,
      ...(status === 503 && { "retry-after": "1" }),
      ...headers,
    },
  });
}
