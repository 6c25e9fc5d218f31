import { describe, expect, test } from "bun:test";
import type { AuctionEnd, BidResponse } from "../../src/auction/bidder.ts";
import { collect } from "../../src/auction/collect.ts";

const NO_BID: BidResponse = { kind: "noBid" };

/** Answers to come, a timer and a client that do only what a test says. */
function collecting(...awaited: boolean[]) {
  const answers = awaited.map(() => Promise.withResolvers<BidResponse>());
  const taken: [index: number, kind: BidResponse["kind"]][] = [];
  const faults: unknown[] = [];
  const timers = new Map<object, () => void>();
  let leave = () => {};
  let end: AuctionEnd | undefined;
  const collected = collect({
    late: answers.map(({ promise }, index) => {
      return { index, answer: promise, isAwaited: awaited[index]! };
    }),
    leftMs: 100,
    setTimer(wake) {
      const timer = {};
      timers.set(timer, wake);
      return timer;
    },
    clearTimer: (timer) => void timers.delete(timer as object),
    onClientGone(listener) {
      leave = listener;
    },
    onAnswer: (index, { kind }) => void taken.push([index, kind]),
    onFault: (fault) => void faults.push(fault),
  }).then((why) => {
    end = why;
  });
  return {
    answers,
    taken,
    faults,
    timers,
    collected,
    end: () => end,
    leave: () => leave(),
    wake: () => [...timers.values()].forEach((wake) => void wake()),
    /** What was answered has been taken in. */
    settle: () => Bun.sleep(0),
  };
}

describe("answers are collected", () => {
  test("until everyone who is waited for is back, and the timer is cleared", async () => {
    const { answers, taken, timers, settle, end } = collecting(true, true, false);
    answers[1]!.resolve(NO_BID);
    await settle();
    expect(end()).toBeUndefined();
    answers[0]!.resolve(NO_BID);
    await settle();
    expect([end(), timers.size]).toEqual(["decided", 0]);
    answers[2]!.resolve(NO_BID);
    await settle();
    expect(taken).toEqual([
      [1, "noBid"],
      [0, "noBid"],
    ]);
  });

  test("of those who are not waited for where they come before the others", async () => {
    const { answers, taken, collected } = collecting(false, true);
    answers[0]!.resolve(NO_BID);
    answers[1]!.resolve(NO_BID);
    await collected;
    expect(taken.map(([index]) => index)).toEqual([0, 1]);
  });

  test("not at all where nobody is waited for", async () => {
    const { collected, timers, end } = collecting(false, false);
    await collected;
    expect([end(), timers.size]).toEqual(["decided", 0]);
  });

  test("until time is up, and no longer", async () => {
    const { answers, taken, wake, settle, end } = collecting(true);
    wake();
    answers[0]!.resolve(NO_BID);
    await settle();
    expect([end(), taken]).toEqual(["deadline", []]);
  });

  test("until the client has gone", async () => {
    const { leave, collected, timers, end } = collecting(true);
    leave();
    await collected;
    expect([end(), timers.size]).toEqual(["abandoned", 0]);
  });

  test("with a rejection as an error of that bidder alone", async () => {
    const { answers, taken, faults, collected, end } = collecting(true, true);
    answers[0]!.reject("broken");
    answers[1]!.resolve(NO_BID);
    await collected;
    expect([end(), faults]).toEqual(["decided", ["broken"]]);
    expect(taken.map(([, kind]) => kind).sort()).toEqual(["error", "noBid"]);
  });
});
