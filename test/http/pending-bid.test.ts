import { describe, expect, test } from "bun:test";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { type Arrival, PendingBid, type Steps } from "../../src/http/pending-bid.ts";
import type { Verdict } from "../../src/limiter/limiter.ts";

const supply = buildCatalog(
  { supplies: { s: ["b"] }, bidders: { b: { country: "US" } } },
  1,
).supplies.get("s")!;
const ADMITTED: Verdict = { isAdmitted: true, remaining: 2, resetMs: 1 };

const WISH = {
  supply,
  catalogVersion: 1,
  country: "US",
  arrivedAtMs: 5,
  tmaxMs: 100,
  isExplained: false,
};

/** A bid whose steps answer with their names, but for those given. */
function pendingBid(given: Partial<Steps> = {}, signal?: AbortSignal) {
  const steps: Steps = {
    decide: () => new Response("decided"),
    refuseUndecided: () => new Response("refused"),
    giveUp: () => new Response("given up"),
    deviceOf: () => ({ ip: "192.0.2.7", userAgent: undefined }),
    ...given,
  };
  const arrival: Arrival = {
    request: new Request("http://x/bid", signal ? { signal } : {}),
    sockets: { requestIP: () => null },
    requestId: "p-1",
  };
  const bid = new PendingBid(arrival, steps, WISH);
  /** As deadlines have it: between others. */
  const other = new PendingBid(arrival, steps, WISH);
  [bid.before, bid.after, other.before, other.after] = [other, other, bid, bid];
  const isWaitedFor = () => other.after === bid;
  const waited = bid.wait();
  return { bid, text: async () => (await waited).text(), waited, isWaitedFor };
}

const fault = new Error("a bug");
const failing = () => {
  throw fault;
};

describe("a bid that waits for the limiter", () => {
  test("is decided when it has a verdict, and refused when it has none", async () => {
    const admitted = pendingBid();
    admitted.bid.onReply(ADMITTED);
    expect(await admitted.text()).toBe("decided");
    const unknown = pendingBid();
    unknown.bid.onFault(fault);
    expect(await unknown.text()).toBe("refused");
  });

  test("fails where a step does, at once or later", async () => {
    const [thrown, refused] = [
      pendingBid({ decide: failing }),
      pendingBid({ refuseUndecided: failing }),
    ];
    const rejected = pendingBid({ decide: () => Promise.reject(fault) });
    thrown.bid.onReply(ADMITTED);
    refused.bid.onFault(new Error("no verdict"));
    rejected.bid.onReply(ADMITTED);
    for (const { waited } of [thrown, refused, rejected]) {
      await expect(waited).rejects.toBe(fault);
    }
  });

  test("is given up when its budget is over, whatever is decided then", async () => {
    const late = Promise.withResolvers<Response>();
    const { bid, text } = pendingBid({ decide: () => late.promise });
    bid.onReply(ADMITTED);
    expect(bid.isAbandoned).toBe(false);
    bid.expire();
    expect(bid.isAbandoned).toBe(true);
    late.reject(fault);
    expect(await text()).toBe("given up");
  });

  test("is waited for until it is answered, not until it has a verdict", async () => {
    const late = Promise.withResolvers<Response>();
    const { bid, text, isWaitedFor } = pendingBid({ decide: () => late.promise });
    bid.onReply(ADMITTED);
    expect(isWaitedFor()).toBe(true);
    late.resolve(new Response("decided later"));
    expect(await text()).toBe("decided later");
    expect(isWaitedFor()).toBe(false);
  });

  test.each<[string, Partial<Steps>, (bid: PendingBid) => void]>([
    ["decided", {}, (bid) => bid.onReply(ADMITTED)],
    ["refused", {}, (bid) => bid.onFault(fault)],
    ["failed by deciding", { decide: failing }, (bid) => bid.onReply(ADMITTED)],
    ["failed later", { decide: () => Promise.reject(fault) }, (bid) => bid.onReply(ADMITTED)],
    ["failed by refusing", { refuseUndecided: failing }, (bid) => bid.onFault(fault)],
  ])("is not waited for any more once it is %s", async (_, steps, end) => {
    const { bid, waited, isWaitedFor } = pendingBid(steps);
    expect(isWaitedFor()).toBe(true);
    end(bid);
    await waited.catch(() => {});
    expect(isWaitedFor()).toBe(false);
  });
});

test("a client that has gone is told of, though it went before anybody listened", () => {
  const client = new AbortController();
  const { bid } = pendingBid({}, client.signal);
  const told: string[] = [];
  bid.onClientGone(() => told.push("while listening"));
  expect(told).toEqual([]);
  client.abort();
  bid.onClientGone(() => told.push("at once"));
  expect(told).toEqual(["while listening", "at once"]);
});
