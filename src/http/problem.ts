/** Every way a request can end without its answer: status and title, by code. */
export const PROBLEMS = {
  malformed_json: [400, "The body is not JSON"],
  unknown_supply: [400, "No such supply"],
  no_eligible_bidders: [400, "No bidder for this country"],
  no_bids: [400, "Nobody bid"],
  not_found: [404, "Not found"],
  method_not_allowed: [405, "Method not allowed"],
  // Bun answers this one itself, without a body.
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

/** The problems whose cause is over in a moment. */
const RETRY_AFTER = { "retry-after": "1" };

/** What an answer with this code has in its headers, but for the request id. */
export const problemHeaders = (code: ProblemCode): Record<string, string> => ({
  "content-type": "application/problem+json",
  "cache-control": "no-store",
  ...(PROBLEMS[code][0] === 503 && RETRY_AFTER),
});

/**
 * The body of an error answer (RFC 9457). `detail` is ours, never the caller's input: an echo would
 * make the answer as large as the request and carry whatever it holds.
 * @param requestId  as `detail` of characters that need no escapes
 * @param extensions  further members as JSON, each behind a comma
 */
export function problemJson(
  code: ProblemCode,
  requestId: string,
  detail: string,
  extensions = "",
): string {
  const { beforeDetail, afterDetail } = FIXED_PARTS[code];
  return `${beforeDetail}${detail}${afterDetail}${requestId}"${extensions}}`;
}

/** The parts of a body that are the same each time: problems are answered by the thousand. */
const FIXED_PARTS = Object.fromEntries(
  Object.entries(PROBLEMS).map(([code, [status, title]]) => [
    code,
    {
      beforeDetail: `{"type":"about:blank","title":"${title}","status":${status},"detail":"`,
      afterDetail: `","code":"${code}","request_id":"`,
    },
  ]),
) as Record<ProblemCode, { readonly beforeDetail: string; readonly afterDetail: string }>;

/** An error answer of any route. */
export function problem(code: ProblemCode, options: ProblemOptions): Response {
  const { requestId, detail, violations, headers } = options;
  const errors = violations ? `,"errors":${JSON.stringify(violations)}` : "";
  return new Response(problemJson(code, requestId, detail, errors), {
    status: PROBLEMS[code][0],
    headers: { ...problemHeaders(code), "x-request-id": requestId, ...headers },
  });
}
