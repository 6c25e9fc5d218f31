import { describe, expect, test } from "bun:test";
import { PROBLEMS, type ProblemCode, problem } from "../../src/http/problem.ts";

const codes = Object.keys(PROBLEMS) as ProblemCode[];
const requestId = "x".repeat(64);

describe("problem", () => {
  test("has the contract's status for each code", () => {
    const statuses = codes.map((code) => [code, PROBLEMS[code][0]]);
    expect(Object.fromEntries(statuses)).toEqual({
      malformed_json: 400,
      unknown_supply: 400,
      no_eligible_bidders: 400,
      no_bids: 400,
      not_found: 404,
      method_not_allowed: 405,
      body_too_large: 413,
      unsupported_media_type: 415,
      invalid_request: 422,
      rate_limited: 429,
      internal: 500,
      overloaded: 503,
      deadline: 503,
      shutting_down: 503,
      stats_unavailable: 503,
    });
  });

  test.each(codes)("is RFC 9457 with the code %s", async (code) => {
    const response = problem(code, { requestId, detail: "Why." });
    const [status, title] = PROBLEMS[code];
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": requestId,
      ...(status === 503 && { "retry-after": "1" }),
    });
    expect(await response.json()).toEqual({
      type: "about:blank",
      title,
      status,
      detail: "Why.",
      code,
      request_id: requestId,
    });
  });

  test("stays within 512 bytes with the longest request id and a long detail", async () => {
    for (const code of codes) {
      const response = problem(code, { requestId, detail: "d".repeat(200) });
      expect((await response.bytes()).length).toBeLessThanOrEqual(512);
    }
  });

  test("lists violations as errors", async () => {
    const violations = [{ pointer: "#/tmax", detail: "expected a number" }];
    const response = problem("invalid_request", { requestId, detail: "Why.", violations });
    expect(await response.json()).toMatchObject({ errors: violations });
  });

  test("carries the headers that are given with it", () => {
    const response = problem("rate_limited", {
      requestId,
      detail: "Why.",
      headers: { "retry-after": "17", ratelimit: '"ip";r=0;t=17' },
    });
    expect(response.headers.get("retry-after")).toBe("17");
    expect(response.headers.get("ratelimit")).toBe('"ip";r=0;t=17');
  });
});
