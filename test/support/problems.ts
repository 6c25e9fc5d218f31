import { expect } from "bun:test";
import { clientAddress, formatBid } from "./ledger.ts";
import { askOnce, type RawAnswer, type RawRequest } from "./raw-http.ts";

/** Put wherever a caller can put text; no answer may repeat it. */
export const MARKER = "ec40-m4rk3r";

const KEYS = ["type", "title", "status", "detail", "code", "request_id"];
const PROBLEM_BYTES_MAX = 512;
const VIOLATIONS_BYTES_MAX = 2_048;

/** The fixed shape of every error answer of ours. */
export function expectProblem(answer: RawAnswer, status: number, code: string): void {
  const { headers, body, size, raw } = answer;
  const problem = JSON.parse(body);
  expect({ status: answer.status, code: problem.code }).toEqual({ status, code });
  expect(Object.keys(problem)).toEqual(status === 422 ? [...KEYS, "errors"] : KEYS);
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^(about:blank|https?:)/),
    title: expect.any(String),
    status,
    detail: expect.any(String),
    request_id: headers.get("x-request-id"),
  });
  expect(headers.get("content-type")).toBe("application/problem+json");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.has("retry-after")).toBe(status === 429 || status === 503);
  expect(size).toBeLessThanOrEqual(status === 422 ? VIOLATIONS_BYTES_MAX : PROBLEM_BYTES_MAX);
  expect(raw).not.toContain(MARKER);
}

/** What the runtime refuses before we see it: no body, and the connection ends. */
export function expectRefusal({ status, headers, size, raw }: RawAnswer, expected: number): void {
  expect(status).toBe(expected);
  expect(headers.get("connection")).toBe("close");
  expect(size).toBeLessThanOrEqual(PROBLEM_BYTES_MAX);
  expect(raw).not.toContain(MARKER);
}

let clients = 0;
/** An address in `X-Forwarded-For` that nobody has used. */
export const newClient = () => clientAddress(++clients);

/** A bid that is fine, as headers and body to spoil. */
export function bidRequest(spoilt: RawRequest = {}, client = newClient()): RawRequest {
  return {
    body: JSON.stringify({ supply_id: "supply1" }),
    ...spoilt,
    headers: {
      "Content-Type": "application/json",
      "X-Country": "US",
      "X-Forwarded-For": client,
      ...spoilt.headers,
    },
  };
}

/** The client still has all three bids of its window: this one leaves two. */
export async function expectFullQuota(port: number, client: string): Promise<void> {
  const bid = formatBid({ supplyId: "supply1", country: "US", client });
  const { headers } = await askOnce(port, bid);
  expect(headers.get("ratelimit")).toStartWith('"ip";r=2;');
}
