import { describe, expect, test } from "bun:test";
import { basename } from "node:path";
import { createAuctioneer } from "../../src/auction/auctioneer.ts";
import type { BidResponse } from "../../src/auction/bidder.ts";
import { explain } from "../../src/auction/explanation.ts";
import type { BidderDocument, SupplyDocument } from "../../src/catalog/document.ts";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";
import { supplyWith } from "../support/auctions.ts";

/** What one bidder does; without `afterMs` it does so at once. */
type Answer =
  | "noBid"
  | "error"
  | "never"
  | { bid?: number; noBid?: true; nbr?: number; error?: true; afterMs?: number }
  | { invalid: string; code: number; afterMs?: number }
  | { notAsked: string };

/** One auction, as a file of test/cases says it. The file's name is the behaviour. */
interface Case {
  /** The bidders of the supply in its order, each with its country or all that is said of it. */
  bidders: Record<string, string | BidderDocument>;
  /** First price without a floor unless said. */
  supply?: Omit<SupplyDocument, "bidders">;
  country: string;
  tmaxMs: number;
  /** What each bidder does that may be asked; asking anybody else fails the case. */
  answers: Record<string, Answer>;
  outcome: { winner: string | null; price: number; states: Record<string, string> };
  /** State, code and reason of each bidder of the supply, where the case is about that. */
  explained?: Record<string, [state: string, code: number | null, reason: string]>;
}

/** A clock whose timers fire in the order of their times, when the test says so. */
function simulatedClock() {
  interface Timer {
    atMs: number;
    wake: () => void;
  }
  const timers: Timer[] = [];
  const setTimer = (wake: () => void, ms: number) => {
    const timer = { atMs: ms, wake };
    timers.push(timer);
    return timer;
  };
  const clearTimer = (timer: unknown) => {
    const i = timers.indexOf(timer as Timer);
    if (i >= 0) timers.splice(i, 1);
  };
  async function runAll(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve)); // All that is ready runs first.
      const [next] = timers.sort((a, b) => a.atMs - b.atMs);
      if (!next) return;
      clearTimer(next);
      next.wake();
    }
  }
  return { setTimer, clearTimer, runAll };
}

function respond(answer: Exclude<Answer, string>): BidResponse {
  if ("invalid" in answer) return { kind: "invalid", code: answer.code, reason: answer.invalid };
  if ("notAsked" in answer) return { kind: "notAsked", reason: answer.notAsked };
  if (answer.error) throw new Error("scripted failure");
  if (answer.bid === undefined) return { kind: "noBid", ...(answer.nbr && { nbr: answer.nbr }) };
  return { kind: "bid", priceMicros: Math.round(answer.bid * 1_000_000) };
}

/** Holds the auction of a case and returns its outcome with the number of records made. */
async function holdCase({ bidders, supply: rules, country, tmaxMs, answers }: Case) {
  const { setTimer, clearTimer, runAll } = simulatedClock();
  const strangers: string[] = [];
  let recorded = 0;

  function bid(id: string): BidResponse | Promise<BidResponse> {
    const given = new Map(Object.entries(answers)).get(id);
    if (given === undefined) strangers.push(id);
    if (given === undefined || given === "never") return new Promise(() => {});
    const answer = typeof given === "string" ? { [given]: true } : given;
    const { afterMs } = answer as { afterMs?: number };
    if (afterMs === undefined) return respond(answer);
    return new Promise<void>((resolve) => setTimer(resolve, afterMs)).then(() => respond(answer));
  }

  const documents = Object.entries(bidders).map(
    ([id, said]) => [id, typeof said === "string" ? { country: said } : said] as const,
  );
  const auctioneer = createAuctioneer({
    capacity: 1,
    bidderOf: ({ id, settings }) => ({
      id,
      isAwaited: settings.wait ?? true,
      bid: () => bid(id),
    }),
    record: () => recorded++,
    onFault: () => {},
    now: () => 0,
    setTimer,
    clearTimer,
  });
  auctioneer.reserve();
  const held = auctioneer.hold({
    auctionId: "a",
    supply: supplyWith(Object.fromEntries(documents), rules),
    catalogVersion: 1,
    country,
    arrivedAtMs: 0,
    tmaxMs,
    isAbandoned: false,
    device: () => ({ ip: undefined, userAgent: undefined }),
    onClientGone: () => {},
  });
  await runAll();
  return { outcome: (await held)!, recorded, strangers };
}

/** The outcome in the words of a case. */
function describeOutcome(outcome: AuctionOutcome) {
  const { supply, eligible, states, winner, clearingPriceMicros } = outcome;
  const names = Object.keys(BidderState);
  return {
    winner: supply.bidders[winner]?.id ?? null,
    price: clearingPriceMicros / 1_000_000,
    states: eligible.map((place, i) => [supply.bidders[place]!.id, names[states[i]!]!]),
  };
}

describe("auction", () => {
  const paths = [...new Bun.Glob("test/cases/*.json").scanSync(".")].sort();

  test("has cases", () => {
    expect(paths.length).toBeGreaterThan(25);
  });

  for (const path of paths) {
    test(basename(path, ".json").replaceAll("-", " "), async () => {
      const scripted: Case = JSON.parse(await Bun.file(path).text());
      const { outcome, recorded, strangers } = await holdCase(scripted);
      const { states } = scripted.outcome;
      expect(describeOutcome(outcome)).toEqual({
        ...scripted.outcome,
        states: Object.entries(states) as [string, string][],
      });
      expect([recorded, strangers]).toEqual([1, []]);
      if (!scripted.explained) return;
      const rows = explain(outcome).map(({ bidderId, state, code, reason }) => [
        bidderId,
        [state, code, reason],
      ]);
      expect(rows).toEqual(Object.entries(scripted.explained));
    });
  }
});
