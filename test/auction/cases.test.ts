import { describe, expect, test } from "bun:test";
import { basename } from "node:path";
import { createAuctioneer } from "../../src/auction/auctioneer.ts";
import type { BidResponse } from "../../src/auction/bidder.ts";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import type { CatalogDocument } from "../../src/catalog/document.ts";
import { type AuctionOutcome, BidderState } from "../../src/stats/outcome.ts";

/** What one bidder does; without `afterMs` it does so at once. */
type Answer =
  | "noBid"
  | "error"
  | "never"
  | { bid?: number; noBid?: true; error?: true; afterMs?: number };

/** One auction, as a file of test/cases says it. The file's name is the behaviour. */
interface Case {
  /** The bidders of the supply in its order, each with its country. */
  bidders: Record<string, string>;
  country: string;
  tmaxMs: number;
  /** What each bidder does that may be asked; asking anybody else fails the case. */
  answers: Record<string, Answer>;
  outcome: { winner: string | null; price: number; states: Record<string, string> };
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
  if (answer.error) throw new Error("scripted failure");
  if (answer.bid === undefined) return { kind: "noBid" };
  return { kind: "bid", priceMicros: Math.round(answer.bid * 1_000_000) };
}

/** Holds the auction of a case and returns its outcome with the number of records made. */
async function holdCase({ bidders, country, tmaxMs, answers }: Case) {
  const { setTimer, clearTimer, runAll } = simulatedClock();
  const strangers: string[] = [];
  let recorded = 0;

  function bid(id: string): BidResponse | Promise<BidResponse> {
    const given = new Map(Object.entries(answers)).get(id);
    if (given === undefined) strangers.push(id);
    if (given === undefined || given === "never") return new Promise(() => {});
    const answer = typeof given === "string" ? { [given]: true } : given;
    const { afterMs } = answer as Exclude<Answer, string>;
    if (afterMs === undefined) return respond(answer);
    return new Promise<void>((resolve) => setTimer(resolve, afterMs)).then(() => respond(answer));
  }

  const document = {
    supplies: { s: Object.keys(bidders) },
    bidders: Object.fromEntries(Object.entries(bidders).map(([id, c]) => [id, { country: c }])),
  } satisfies CatalogDocument;
  const auctioneer = createAuctioneer({
    capacity: 1,
    bidderOf: ({ id }) => ({ id, bid: () => bid(id) }),
    record: () => recorded++,
    onFault: () => {},
    setTimer,
    clearTimer,
  });
  auctioneer.reserve();
  const supply = buildCatalog(document, 1).supplies.get("s")!;
  const held = auctioneer.hold({ supply, country, tmaxMs, isAbandoned: false });
  await runAll();
  return { outcome: (await held)!, recorded, strangers };
}

/** The outcome in the words of a case. */
function describeOutcome(outcome: AuctionOutcome) {
  const { supply, asked, states, winner, clearingPriceMicros } = outcome;
  const names = Object.keys(BidderState);
  return {
    winner: supply.bidders[winner]?.id ?? null,
    price: clearingPriceMicros / 1_000_000,
    states: asked.map((place, i) => [supply.bidders[place]!.id, names[states[i]!]!]),
  };
}

describe("auction", () => {
  const paths = [...new Bun.Glob("test/cases/*.json").scanSync(".")].sort();

  test("has cases", () => {
    expect(paths.length).toBeGreaterThan(15);
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
    });
  }
});
