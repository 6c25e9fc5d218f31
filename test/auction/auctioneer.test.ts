import { describe, expect, test } from "bun:test";
import { createAuctioneer } from "../../src/auction/auctioneer.ts";
import type { AuctionEnd, BidRequest, BidResponse } from "../../src/auction/bidder.ts";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import type { AuctionOutcome } from "../../src/stats/outcome.ts";

const catalog = buildCatalog(
  {
    supplies: { s: ["us1", "gb1", "us2"] },
    bidders: { us1: { country: "US" }, gb1: { country: "GB" }, us2: { country: "US" } },
  },
  1,
);
const supply = catalog.supplies.get("s")!;
const CENT = 10_000;
const bid = (priceMicros: number): BidResponse => ({ kind: "bid", priceMicros });
const turn = () => new Promise((resolve) => setImmediate(resolve));

const DEVICE = { ip: "192.0.2.7", userAgent: "agent" };
const offerFor = (country: string, isAbandoned = false) => ({
  auctionId: "a1",
  supply,
  catalogVersion: 1,
  country,
  arrivedAtMs: 1_000,
  tmaxMs: 100,
  isAbandoned,
  device: () => DEVICE,
  onClientGone: (_listener: () => void) => {},
});

interface Setup {
  capacity?: number;
  bidOf?: (id: string, request: BidRequest) => BidResponse | Promise<BidResponse>;
  record?: (outcome: AuctionOutcome) => void;
  /** Whom nobody waits for. */
  unawaited?: readonly string[];
}

/** An auctioneer whose timers fire by hand, with what it recorded and what went wrong. */
function manualAuctioneer(setup: Setup = {}) {
  const { capacity = 10, bidOf = () => bid(CENT), record, unawaited = [] } = setup;
  const recorded: AuctionOutcome[] = [];
  const faults: unknown[] = [];
  const timers = new Map<number, { wake: () => void; ms: number }>();
  let timersMade = 0;
  const clock = { ms: 1_000 };
  const auctioneer = createAuctioneer({
    capacity,
    bidderOf: ({ id }) => ({
      id,
      isAwaited: !unawaited.includes(id),
      bid: (request) => bidOf(id, request),
    }),
    record: record ?? ((outcome) => recorded.push(outcome)),
    onFault: (fault) => faults.push(fault),
    now: () => clock.ms,
    setTimer(wake, ms) {
      timers.set(++timersMade, { wake, ms });
      return timersMade;
    },
    clearTimer: (timer) => timers.delete(timer as number),
  });
  const fireTimers = () => {
    for (const { wake } of timers.values()) wake();
  };
  return { ...auctioneer, recorded, faults, timers, fireTimers, clock };
}

describe("auctioneer", () => {
  test("asks each eligible bidder once, all with the same request, and nobody else", async () => {
    const asked: [string, BidRequest][] = [];
    const { reserve, hold } = manualAuctioneer({
      bidOf(id, request) {
        asked.push([id, request]);
        return bid(CENT);
      },
    });
    reserve();
    await hold(offerFor("US"));
    const [, request] = asked[0]!;
    expect(asked).toEqual([
      ["us1", request],
      ["us2", request],
    ]);
    expect(asked[1]![1]).toBe(request);
    expect(request).toMatchObject({
      auctionId: "a1",
      supply,
      country: "US",
      deadlineAtMs: 1_100,
    });
    expect(request.device()).toBe(DEVICE);
  });

  test("returns the outcome that it recorded, recorded once", async () => {
    const { reserve, hold, recorded } = manualAuctioneer();
    reserve();
    const outcome = await hold(offerFor("US"));
    expect(recorded).toEqual([outcome!]);
    expect(recorded[0]).toBe(outcome!);
  });

  test("needs no timer when every bidder answers at once", async () => {
    const { reserve, hold, timers } = manualAuctioneer();
    reserve();
    await hold(offerFor("US"));
    expect(timers.size).toBe(0);
  });

  test("waits tmax at most, and clears the timer when all have answered before", async () => {
    const { reserve, hold, timers } = manualAuctioneer({ bidOf: async () => bid(CENT) });
    reserve();
    const held = hold(offerFor("US"));
    expect([...timers.values()].map(({ ms }) => ms)).toEqual([100]);
    expect(await held).toMatchObject({ winner: 0 });
    expect(timers.size).toBe(0);
  });

  test("waits for what the limiter has left of tmax, and says so to the bidders", async () => {
    const deadlinesMs: number[] = [];
    const { reserve, hold, timers, clock, fireTimers } = manualAuctioneer({
      bidOf(_, { deadlineAtMs }) {
        deadlinesMs.push(deadlineAtMs);
        return new Promise(() => {});
      },
    });
    for (const tookMs of [0, 29.5]) {
      clock.ms = 1_000 + tookMs;
      reserve();
      const held = hold(offerFor("US"));
      expect([...timers.values()].map(({ ms }) => ms)).toEqual([Math.ceil(100 - tookMs)]);
      fireTimers();
      expect(await held).toMatchObject({ states: [3, 3], tmaxMs: 100 });
    }
    expect(new Set(deadlinesMs)).toEqual(new Set([1_100]));
  });

  test.each([100, 130])(
    "asks nobody when the limiter has taken %d of 100 ms: nobody can be in time",
    async (tookMs) => {
      const asked: string[] = [];
      const { reserve, hold, clock, recorded } = manualAuctioneer({
        bidOf(id) {
          asked.push(id);
          return bid(CENT);
        },
      });
      reserve();
      clock.ms += tookMs;
      const held = await hold(offerFor("US"));
      expect(asked).toEqual([]);
      expect(held).toMatchObject({ states: [3, 3], winner: -1, end: "deadline" });
      expect(recorded.length).toBe(1);
    },
  );

  test("closes once when the time is over, and ignores who answers later", async () => {
    const slow = Promise.withResolvers<BidResponse>();
    const { reserve, hold, fireTimers, recorded, depth } = manualAuctioneer({
      bidOf: (id) => (id === "us1" ? slow.promise : bid(10_000)),
    });
    reserve();
    const held = hold(offerFor("US"));
    await turn();
    fireTimers();
    const outcome = await held;
    slow.resolve(bid(990_000));
    await turn();
    expect(outcome).toMatchObject({ winner: 2, clearingPriceMicros: 10_000, states: [3, 1] });
    expect([recorded.length, depth()]).toEqual([1, 0]);
  });

  test("reports a bidder that fails, at once or later, and goes on without it", async () => {
    const { reserve, hold, faults } = manualAuctioneer({
      bidOf(id) {
        if (id === "us1") throw "at once";
        return Promise.reject("later");
      },
    });
    reserve();
    expect(await hold(offerFor("US"))).toMatchObject({ winner: -1, states: [4, 4] });
    expect(faults).toEqual(["at once", "later"]);
  });

  test("takes a bidder without an implementation for one that fails", async () => {
    const faults: unknown[] = [];
    const { reserve, hold } = createAuctioneer({
      capacity: 1,
      bidderOf: () => undefined as never,
      record: () => {},
      onFault: (fault) => faults.push(fault),
      now: () => 1_000,
    });
    reserve();
    expect(await hold(offerFor("GB"))).toMatchObject({ winner: -1, states: [4] });
    expect(faults.length).toBe(1);
  });

  test("takes a price that is no price for an invalid answer", async () => {
    const prices = [0, -1, 0.5, Number.NaN, 2 ** 32];
    for (const priceMicros of prices) {
      const { reserve, hold } = manualAuctioneer({ bidOf: () => bid(priceMicros) });
      reserve();
      expect(await hold(offerFor("GB"))).toMatchObject({ winner: -1, states: [5] });
    }
  });

  test("tells how long each took that answered in time", async () => {
    const first = Promise.withResolvers<BidResponse>();
    const { reserve, hold, clock, fireTimers } = manualAuctioneer({
      bidOf: (id) => (id === "us1" ? first.promise : new Promise(() => {})),
    });
    reserve();
    const held = hold(offerFor("US"));
    clock.ms += 12.5;
    first.resolve(bid(CENT));
    await turn();
    clock.ms += 87.5;
    fireTimers();
    const { latenciesMs, elapsedMs } = (await held)!;
    expect([latenciesMs[0], latenciesMs[1], elapsedMs]).toEqual([12.5, undefined, 100]);
  });

  test("holds auctions side by side: a slow one does not delay the next", async () => {
    const slow = Promise.withResolvers<BidResponse>();
    const { reserve, hold } = manualAuctioneer({
      bidOf: (id) => (id === "gb1" ? slow.promise : bid(CENT)),
    });
    reserve();
    reserve();
    const first = hold(offerFor("GB"));
    expect(await hold(offerFor("US"))).toMatchObject({ winner: 0 });
    slow.resolve(bid(2 * CENT));
    expect(await first).toMatchObject({ winner: 1, clearingPriceMicros: 2 * CENT });
  });

  test("does not record an offer that was abandoned, and gives its place back", async () => {
    const { reserve, hold, recorded, depth } = manualAuctioneer();
    reserve();
    expect(await hold(offerFor("US", true))).toBeUndefined();
    expect([recorded.length, depth()]).toEqual([0, 0]);
  });

  test("notices an offer that is abandoned while bidders think", async () => {
    const slow = Promise.withResolvers<BidResponse>();
    const { reserve, hold, recorded } = manualAuctioneer({ bidOf: () => slow.promise });
    reserve();
    const offer = offerFor("US");
    const held = hold(offer);
    await turn();
    offer.isAbandoned = true;
    slow.resolve(bid(CENT));
    expect(await held).toBeUndefined();
    expect(recorded).toEqual([]);
  });

  test.each([["at once", () => bid(CENT)] as const, ["later", async () => bid(CENT)] as const])(
    "fails the auction that cannot be recorded and gives its place back: %s",
    async (_, bidOf) => {
      const { reserve, hold, depth } = manualAuctioneer({
        bidOf,
        record() {
          throw new Error("journal full");
        },
      });
      reserve();
      await expect((async () => hold(offerFor("US")))()).rejects.toThrow("journal full");
      expect(depth()).toBe(0);
    },
  );

  test("reserves as many places as there are, and again what was released", async () => {
    const { reserve, release, hold, depth } = manualAuctioneer({ capacity: 2 });
    expect([reserve(), reserve(), reserve()]).toEqual([true, true, false]);
    release();
    expect([depth(), reserve(), reserve()]).toEqual([1, true, false]);
    await Promise.all([hold(offerFor("US")), hold(offerFor("GB"))]);
    expect([depth(), reserve()]).toEqual([0, true]);
  });

  test("accepts every auction that has a reserved place, all in one turn", async () => {
    const { reserve, hold, recorded } = manualAuctioneer({
      capacity: 100,
      bidOf: async () => bid(CENT),
    });
    const held: unknown[] = [];
    while (reserve()) held.push(hold(offerFor("US")));
    await Promise.all(held);
    expect(recorded.length).toBe(100);
  });

  test("drains when nothing is reserved or running, at once when nothing is", async () => {
    const { reserve, release, hold, drain } = manualAuctioneer();
    await drain();
    reserve();
    reserve();
    let isDrained = false;
    const drained = drain().then(() => {
      isDrained = true;
    });
    release();
    await turn();
    expect(isDrained).toBe(false);
    await hold(offerFor("US"));
    await drained;
    expect(isDrained).toBe(true);
  });
});

describe("an auction's end", () => {
  /** An auction whose bidders answer when told to, and what they heard of its end. */
  function openAuction(setup: Setup = {}) {
    const answers = new Map<string, (answer: BidResponse) => void>();
    const ends: [string, AuctionEnd][] = [];
    let leave = () => {};
    const auctioneer = manualAuctioneer({
      bidOf(id, request) {
        request.onEnd((end) => ends.push([id, end]));
        return new Promise((resolve) => answers.set(id, resolve));
      },
      ...setup,
    });
    auctioneer.reserve();
    const offer = {
      ...offerFor("US"),
      onClientGone(listener: () => void) {
        leave = listener;
      },
    };
    const held = auctioneer.hold(offer);
    return { ...auctioneer, held, answers, ends, leave: () => leave() };
  }

  test("is told to every bidder when the last answer is there", async () => {
    const { held, answers, ends } = openAuction();
    answers.get("us1")!(bid(CENT));
    await turn();
    expect(ends).toEqual([]);
    answers.get("us2")!(bid(CENT));
    await held;
    expect(ends).toEqual([
      ["us1", "decided"],
      ["us2", "decided"],
    ]);
  });

  test("comes with the deadline", async () => {
    const { held, ends, fireTimers } = openAuction();
    fireTimers();
    expect(await held).toMatchObject({ winner: -1, states: [3, 3], end: "deadline" });
    expect(ends.map(([, end]) => end)).toEqual(["deadline", "deadline"]);
  });

  test("comes when the client goes: nothing is recorded, and the place is free", async () => {
    const { held, ends, leave, recorded, timers, depth } = openAuction();
    leave();
    expect(await held).toBeUndefined();
    expect(ends.map(([, end]) => end)).toEqual(["abandoned", "abandoned"]);
    expect([recorded.length, timers.size, depth()]).toEqual([0, 0, 0]);
  });

  test("does not wait for a bidder that is not waited for", async () => {
    const { held, answers } = openAuction({ unawaited: ["us1"] });
    answers.get("us2")!(bid(CENT));
    expect(await held).toMatchObject({ winner: 2, states: [3, 1], end: "decided" });
  });

  test("takes such a bidder's answer that is there before the others'", async () => {
    const { held, answers } = openAuction({ unawaited: ["us1"] });
    answers.get("us1")!(bid(2 * CENT));
    await turn();
    answers.get("us2")!(bid(CENT));
    expect(await held).toMatchObject({ winner: 0, states: [1, 1] });
  });

  test("comes at once where nobody is waited for", async () => {
    const { held } = openAuction({ unawaited: ["us1", "us2"] });
    expect(await held).toMatchObject({ winner: -1, states: [3, 3], end: "decided" });
  });
});
