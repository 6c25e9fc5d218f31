import { describe, expect, test } from "bun:test";
import { BODY_BYTES_MAX, createStubBidder } from "../../src/sandbox/stub-bidder.ts";
import { BID_HEADERS, bidRequest } from "../support/bid-requests.ts";
import { profileOf } from "../support/stubs.ts";

const BODY = JSON.stringify(bidRequest());

function stubOf(written: Parameters<typeof profileOf>[0]) {
  const stub = createStubBidder({ id: "b1", seat: "b1", seed: 1, profile: profileOf(written) });
  const receive = (body: string | Uint8Array = BODY, more: Record<string, string> = {}) => {
    const headers: Readonly<Record<string, string>> = { ...BID_HEADERS, ...more };
    return stub.receive({ header: (name) => headers[name], body });
  };
  return { receive, counters: stub.counters };
}

describe("a stub bidder", () => {
  test("counts what it answers by its kind", () => {
    const { receive, counters } = stubOf({ misbehaviours: { redirect: 1 } });
    receive();
    receive();
    expect(counters).toMatchObject({ requests: 2, bad_requests: 0, answers: { redirect: 2 } });
  });

  test("hands a fault on, with a good answer to spoil", () => {
    const { answer, fault } = stubOf({ misbehaviours: { drip: 1 } }).receive();
    expect([fault, answer.status]).toEqual(["drip", 200]);
  });

  test("takes the time of its profile, but for a bad request", () => {
    const { receive } = stubOf({ latency_ms: 40 });
    expect(receive().latencyMs).toBe(40);
    expect(receive("{}").latencyMs).toBe(0);
  });

  test.each([
    ["no JSON", "{", {}],
    ["no bid request", "{}", {}],
    ["an encoding that it does not know", Buffer.from(BODY), { "content-encoding": "br" }],
    ["bytes that are no gzip", Buffer.from(BODY), { "content-encoding": "gzip" }],
    [
      "more than it unpacks",
      Bun.gzipSync(" ".repeat(BODY_BYTES_MAX) + BODY),
      { "content-encoding": "gzip" },
    ],
  ])("answers 400 to %s, and the next decision is still to come", (_, body, headers) => {
    const { receive, counters } = stubOf({});
    expect(receive(body, headers).answer.status).toBe(400);
    expect(counters).toMatchObject({ requests: 1, bad_requests: 1, answers: {} });
    expect(counters.last_problem).toBeString();
  });
});
