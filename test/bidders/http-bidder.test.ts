import { describe, expect, test } from "bun:test";
import type { AuctionEnd, BidRequest } from "../../src/auction/bidder.ts";
import { createBidRequestWriter } from "../../src/bidders/bid-request.ts";
import type { HttpBidderOptions } from "../../src/bidders/http-bidder.ts";
import type { BidderReply, CallListener } from "../../src/bidders/transport.ts";
import type { BidderDocument } from "../../src/catalog/document.ts";
import { supplyOf } from "../support/auctions.ts";
import { jsonAnswer, serveBidder } from "../support/bidder-server.ts";
import { ask, entryOf, httpBidderOf } from "../support/http-bidders.ts";
import { until } from "../support/until.ts";

const ENDPOINT = "http://bidder.test/bid?key=1";
const NO_CONTENT: BidderReply = { status: 204, body: Buffer.alloc(0) };
const BUSY: BidderReply = { status: 503, body: Buffer.alloc(0) };
const supply = supplyOf("s", ["b"]);

interface SentCall extends CallListener {
  readonly request: string | Buffer;
  isAborted: boolean;
}

/** A bidder with a clock, timers and a transport that do only what a test says. */
function scriptedBidder(
  settings: Partial<BidderDocument> = {},
  differently: Partial<HttpBidderOptions> = {},
) {
  const calls: SentCall[] = [];
  const changes: (string | undefined)[] = [];
  const timers = new Map<object, { atMs: number; wake: () => void }>();
  let nowMs = 1_000;
  let noteHandshake = (_: number) => {};
  let isRetired = false;
  const bidder = httpBidderOf(entryOf(ENDPOINT, settings), {
    now: () => nowMs,
    setTimer(wake, ms) {
      const timer = {};
      timers.set(timer, { atMs: nowMs + ms, wake });
      return timer;
    },
    clearTimer: (timer) => void timers.delete(timer as object),
    onChange: (trouble) => changes.push(trouble),
    openTransport({ onOpen }) {
      noteHandshake = onOpen;
      return {
        send(request, listener) {
          const call: SentCall = { request, isAborted: false, ...listener };
          calls.push(call);
          return {
            abort: () => {
              call.isAborted = true;
            },
          };
        },
        retire: () => {
          isRetired = true;
        },
      };
    },
    ...differently,
  });

  /** Asks with `tmaxMs` to go; the last call is the one that it made. */
  function askNow(tmaxMs = 100) {
    const asking = ask(bidder, { given: { supply, deadlineAtMs: nowMs + tmaxMs } });
    // `ask` listens with its own list; the deadline is the test's to pass.
    return { ...asking, call: calls.at(-1) };
  }

  async function pass(ms: number): Promise<void> {
    nowMs += ms;
    for (const [timer, { atMs, wake }] of timers) {
      if (atMs > nowMs) continue;
      timers.delete(timer);
      wake();
    }
    await Bun.sleep(0); // The breaker's library counts in promises.
  }

  /** Lets calls fail until nobody is asked. */
  async function breakIt(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      askNow().call!.onReply(BUSY);
      await pass(0);
    }
  }

  return {
    bidder,
    calls,
    changes,
    timers,
    ask: askNow,
    pass,
    breakIt,
    noteHandshake: (ms: number) => noteHandshake(ms),
    isRetired: () => isRetired,
  };
}

const bodyOf = (request: string | Buffer | undefined) =>
  JSON.parse(String(request).split("\r\n\r\n")[1]!) as { tmax: number };

describe("the call", () => {
  test("is an OpenRTB 2.6 bid request with the headers of the entry", async () => {
    await using server = serveBidder(() => ({ pieces: [jsonAnswer({})] }));
    const bidder = httpBidderOf(entryOf(server.url, { headers: { "x-key": "secret" } }));
    const { answer } = ask(bidder, { supply: { domain: "example.com" } });
    expect(await answer).toEqual({ kind: "noBid" });
    const [{ head, body }] = server.requests as [(typeof server.requests)[number]];
    expect(head.split("\r\n")).toEqual([
      "POST /bid HTTP/1.1",
      `host: 127.0.0.1:${server.port}`,
      "connection: keep-alive",
      "content-type: application/json",
      "accept: application/json",
      "accept-encoding: identity",
      "x-openrtb-version: 2.6",
      "x-key: secret",
      `content-length: ${body.length}`,
    ]);
    expect(JSON.parse(body.toString())).toMatchObject({
      id: "auction-1",
      site: { domain: "example.com" },
      tmax: expect.any(Number),
    });
  });

  test("is compressed where the entry asks for it", async () => {
    await using server = serveBidder(() => ({ pieces: [jsonAnswer({})] }));
    expect(await ask(httpBidderOf(entryOf(server.url, { gzip: true }))).answer).toEqual({
      kind: "noBid",
    });
    const [{ head, body }] = server.requests as [(typeof server.requests)[number]];
    expect(head).toContain("content-encoding: gzip\r\n");
    expect(head).toContain("accept-encoding: gzip\r\n");
    expect(JSON.parse(Buffer.from(Bun.gunzipSync(new Uint8Array(body))).toString())).toMatchObject({
      id: "auction-1",
    });
  });

  test("keeps its connection from one auction to the next, also when nobody waited for it", async () => {
    await using server = serveBidder(() => ({ pieces: [jsonAnswer({})] }));
    const bidder = httpBidderOf(entryOf(server.url, { wait: false }));
    expect(bidder.isAwaited).toBe(false);
    for (let i = 0; i < 10; i++) {
      const { answer, end } = ask(bidder);
      end("decided");
      await answer;
    }
    expect(server.accepted()).toBe(1);
  });

  test("has the address and port of the endpoint, and 80 where it names none", () => {
    const { ask, calls } = scriptedBidder();
    ask();
    expect(String(calls[0]!.request)).toStartWith(
      "POST /bid?key=1 HTTP/1.1\r\nhost: bidder.test\r\n",
    );
  });
});

describe("the time that a bidder has", () => {
  test("is what is left after our own reserve and the network's time", () => {
    const { ask, noteHandshake } = scriptedBidder();
    expect(bodyOf(ask(100).call!.request).tmax).toBe(97);
    noteHandshake(20);
    expect(bodyOf(ask(100).call!.request).tmax).toBe(77);
  });

  test("is at most its own timeout, less the network's time", () => {
    const { ask, noteHandshake } = scriptedBidder({ timeout_ms: 50 });
    noteHandshake(10);
    expect(bodyOf(ask(100).call!.request).tmax).toBe(40);
    expect(bodyOf(ask(30).call!.request).tmax).toBe(17);
  });

  test("is never less than a millisecond, which is the least that can be said", () => {
    const { ask, noteHandshake } = scriptedBidder();
    noteHandshake(50);
    expect(bodyOf(ask(1).call!.request).tmax).toBe(1);
  });

  test("may be over before it is asked, when the limiter was slow: it is not called", async () => {
    const { ask, calls, changes, pass } = scriptedBidder({ max_in_flight: 1 });
    for (let i = 0; i < 30; i++) {
      expect(await ask(0).answer).toEqual({
        kind: "timeout",
        reason: "no time was left to ask it",
      });
    }
    await pass(0);
    expect([calls, changes]).toEqual([[], []]);
    ask(1);
    expect(calls.length).toBe(1);
  });

  test("ends with the auction's deadline: the call is aborted, and its answer a timeout", async () => {
    const { ask, pass } = scriptedBidder();
    const { answer, end, call } = ask(80);
    await pass(80);
    end("deadline");
    expect(call!.isAborted).toBe(true);
    expect(await answer).toEqual({ kind: "timeout", reason: "no answer within 80 ms" });
  });

  test("ends with its own timeout, before the auction's", async () => {
    const { ask, pass, timers } = scriptedBidder({ timeout_ms: 20 });
    const { answer, call } = ask(80);
    await pass(20);
    expect(call!.isAborted).toBe(true);
    expect(await answer).toEqual({ kind: "timeout", reason: "no answer within 20 ms" });
    expect(timers.size).toBe(0);
  });

  test("ends when the client leaves, which is nobody's failure", async () => {
    const { bidder, ask, pass, changes } = scriptedBidder();
    for (let i = 0; i < 30; i++) {
      const { answer, end, call } = ask();
      end("abandoned");
      expect(call!.isAborted).toBe(true);
      expect(await answer).toMatchObject({ kind: "timeout", reason: "the client left" });
    }
    await pass(0);
    expect(changes).toEqual([]);
    expect(bidder.trouble!()).toBeUndefined();
  });

  test("goes on to the deadline when the auction was decided without it", async () => {
    const { ask, pass, timers, calls } = scriptedBidder({ wait: false });
    const late = ask(100);
    const never = ask(100);
    late.end("decided");
    never.end("decided");
    await pass(50);
    expect(calls.map(({ isAborted }) => isAborted)).toEqual([false, false]);
    late.call!.onReply(NO_CONTENT);
    await pass(50);
    expect(calls.map(({ isAborted }) => isAborted)).toEqual([false, true]);
    expect(timers.size).toBe(0);
    expect(await never.answer).toMatchObject({ kind: "timeout" });
  });
});

describe("what a bidder is spared", () => {
  test("more calls at a time than it may have", async () => {
    const { ask, calls } = scriptedBidder({ max_in_flight: 2 });
    ask();
    const second = ask();
    expect(await ask().answer).toEqual({
      kind: "notAsked",
      reason: "2 calls in flight, at most 2",
    });
    second.call!.onReply(NO_CONTENT);
    ask();
    expect(calls.length).toBe(3);
  });

  test.each(["deadline", "abandoned"] as AuctionEnd[])("a place is free again after %p", (why) => {
    const { ask, calls } = scriptedBidder({ max_in_flight: 1 });
    for (let i = 0; i < 3; i++) ask().end(why);
    expect(calls.length).toBe(3);
  });

  test("more calls than its quota, of which each worker has its share", async () => {
    const { ask, pass, calls } = scriptedBidder({ max_qps: 60 }, { workers: 3 });
    for (let i = 0; i < 10; i++) ask();
    expect(calls.length).toBe(2); // A tenth of a second's share of 20.
    expect(await ask().answer).toEqual({
      kind: "notAsked",
      reason: "used up its 60 calls a second, shared by 3 workers",
    });
    for (let i = 0; i < 1_000; i++) {
      await pass(10);
      ask();
    }
    expect(calls.length).toBeWithin(200, 203); // 10 s of 20 calls, and those at the start.
  });

  test("the calls of auctions while its breaker is open, but for one that tries", async () => {
    const { bidder, ask, pass, breakIt, changes, calls } = scriptedBidder();
    await breakIt();
    const cause = "breaker open, last failure: status 503";
    expect(changes).toEqual([cause]);
    expect(bidder.trouble!()).toBe(cause);
    expect(await ask().answer).toEqual({ kind: "notAsked", reason: cause });
    expect(calls.length).toBe(5);

    await pass(1_000);
    const trial = ask();
    expect(await ask().answer).toMatchObject({
      kind: "notAsked",
      reason: "breaker half open, last failure: status 503",
    });
    trial.call!.onReply(NO_CONTENT);
    await pass(0);
    expect(changes).toEqual([cause, undefined]);
    expect(bidder.trouble!()).toBeUndefined();
    ask();
    expect(calls.length).toBe(7);
  });
});

describe("the breaker", () => {
  test.each([
    ["errors of transport", (call: SentCall) => call.onFailure("reset"), "reset"],
    ["server errors", (call: SentCall) => call.onReply(BUSY), "status 503"],
    [
      "invalid bodies",
      (call: SentCall) => call.onReply({ status: 200, body: Buffer.from("x") }),
      'body "x", expected JSON',
    ],
  ])("opens on %s", async (_, fail, reason) => {
    const { ask, pass, changes } = scriptedBidder();
    for (let i = 0; i < 5; i++) {
      fail(ask().call!);
      await pass(0);
    }
    expect(changes).toEqual([`breaker open, last failure: ${reason}`]);
  });

  test("opens on timeouts, the auction's and its own, waited for or not", async () => {
    for (const settings of [{}, { timeout_ms: 50 }, { wait: false }]) {
      const { ask, pass, changes } = scriptedBidder(settings);
      for (let i = 0; i < 5; i++) {
        const { end } = ask(100);
        if ("wait" in settings) end("decided");
        await pass(100);
        end("deadline");
      }
      await pass(0);
      expect(changes.length).toBe(1);
      expect(changes[0]).toStartWith("breaker open, last failure: no answer within");
    }
  });

  test("stays closed for bids and no-bids", async () => {
    const { ask, pass, changes } = scriptedBidder();
    for (let i = 0; i < 50; i++) ask().call!.onReply(NO_CONTENT);
    await pass(0);
    expect(changes).toEqual([]);
  });

  test("is not opened by clients that wait less than the bidder usually takes", async () => {
    const { ask, pass, changes } = scriptedBidder();
    const usual = ask(100);
    await pass(30);
    usual.call!.onReply(NO_CONTENT);
    for (let i = 0; i < 50; i++) {
      const { end } = ask(29);
      await pass(29);
      end("deadline");
    }
    await pass(0);
    expect(changes).toEqual([]);
    for (let i = 0; i < 50; i++) {
      const { end } = ask(30);
      await pass(30);
      end("deadline");
    }
    expect(changes.length).toBe(1);
  });

  test("is opened by its own timeout, however short that is", async () => {
    const { ask, pass, changes } = scriptedBidder({ timeout_ms: 8 });
    for (let i = 0; i < 5; i++) {
      ask(100);
      await pass(8);
    }
    await pass(0);
    expect(changes).toEqual(["breaker open, last failure: no answer within 8 ms"]);
  });

  test("is not opened by clients that wait less than any network needs", async () => {
    const { ask, pass, changes } = scriptedBidder();
    for (let i = 0; i < 50; i++) {
      const { end } = ask(9);
      await pass(9);
      end("deadline");
    }
    await pass(0);
    expect(changes).toEqual([]);
  });

  test("opens again when the trial fails, and tries again when the trial's client left", async () => {
    const { ask, pass, breakIt, changes, calls } = scriptedBidder();
    await breakIt();
    await pass(1_000);
    ask().end("abandoned");
    ask().call!.onReply(BUSY); // The next one tries.
    await pass(0);
    expect(calls.length).toBe(7);
    expect(await ask().answer).toMatchObject({ kind: "notAsked" });
    await pass(999);
    expect(await ask().answer).toMatchObject({ kind: "notAsked" });
    await pass(1);
    ask().call!.onReply(NO_CONTENT);
    await pass(0);
    expect(changes.length).toBe(2);
    expect(changes[1]).toBeUndefined();
  });
});

describe("a fault of ours", () => {
  test("is thrown, and costs the bidder neither a place nor its good name", async () => {
    const writer = createBidRequestWriter("full");
    let isBroken = true;
    const { bidder, calls, changes, ask, pass } = scriptedBidder(
      { max_in_flight: 1 },
      {
        writer: {
          write(request: BidRequest, tmaxMs: number) {
            if (isBroken) throw new Error("broken writer");
            return writer.write(request, tmaxMs);
          },
        },
      },
    );
    for (let i = 0; i < 30; i++) expect(() => ask()).toThrow("broken writer");
    await pass(0);
    isBroken = false;
    ask();
    expect(calls.length).toBe(1);
    expect(changes).toEqual([]);
    expect(bidder.trouble!()).toBeUndefined();
  });
});

test("a bidder that has left the catalog retires its connections", () => {
  const { bidder, isRetired } = scriptedBidder();
  bidder.retire!();
  expect(isRetired()).toBe(true);
});

test("a bidder that hangs costs the others nothing", async () => {
  await using hung = serveBidder(() => undefined);
  await using good = serveBidder(() => ({ pieces: [jsonAnswer({})] }));
  const slow = httpBidderOf(entryOf(hung.url, { max_in_flight: 5 }));
  const quick = httpBidderOf(entryOf(good.url));
  const hanging = Array.from({ length: 50 }, () => ask(slow));
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(quick).answer));
  expect(answers.every(({ kind }) => kind === "noBid")).toBe(true);
  await until("as many calls hang as may", () => hung.requests.length === 5);
  for (const { end } of hanging) end("abandoned");
  await until("their connections are closed", () => hung.open() === 0);
});
