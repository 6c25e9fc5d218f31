import { describe, expect, test } from "bun:test";
import { createCalls } from "../../src/processes/calls.ts";
import type { Report } from "../../src/processes/messages.ts";

type Call = Extract<Report, { type: "call" }>;

/** Calls with the messages that they sent. */
function loggedCalls() {
  const sent: Call[] = [];
  const calls = createCalls((report) => sent.push(report as Call));
  return { ...calls, sent };
}

describe("calls", () => {
  test("sends name and argument, each call with an id of its own", () => {
    const { call, sent } = loggedCalls();
    call("one", { a: 1 });
    call("two", null);
    expect(sent).toEqual([
      { type: "call", id: 1, name: "one", argument: { a: 1 } },
      { type: "call", id: 2, name: "two", argument: null },
    ]);
  });

  test("refuses what waits and what comes once the supervisor is gone", async () => {
    const { call, close, sent } = loggedCalls();
    const waiting = call("one", null);
    close();
    expect(waiting).rejects.toThrow("the supervisor is gone");
    expect(call("two", null)).rejects.toThrow("the supervisor is gone");
    expect(sent).toHaveLength(1);
  });

  test("gives each answer to its own call, in whatever order they come", async () => {
    const { call, settle, sent } = loggedCalls();
    const results = Promise.all([call("one", null), call("two", null)]);
    settle({ type: "reply", id: sent[1]!.id, result: "second" });
    settle({ type: "reply", id: sent[0]!.id, result: ["first"] });
    expect(await results).toEqual([["first"], "second"]);
  });

  test("fails with what the supervisor said, even when it said nothing", async () => {
    const { call, settle } = loggedCalls();
    const ends = Promise.allSettled([call("one", null), call("two", null)]);
    settle({ type: "reply", id: 1, error: "store away" });
    settle({ type: "reply", id: 2, error: "" });
    expect(await ends).toEqual([
      { status: "rejected", reason: new Error("store away") },
      { status: "rejected", reason: new Error("") },
    ]);
  });

  test("takes an answer without a result for one that is empty", async () => {
    const { call, settle } = loggedCalls();
    const result = call("one", null);
    settle({ type: "reply", id: 1 });
    expect(await result).toBeUndefined();
  });

  test("ignores an answer to no call, and a second one to the same", async () => {
    const { call, settle } = loggedCalls();
    const result = call("one", null);
    settle({ type: "reply", id: 99, result: "stray" });
    settle({ type: "reply", id: 1, result: "first" });
    settle({ type: "reply", id: 1, error: "second" });
    expect(await result).toBe("first");
  });

  test("fails at once when the supervisor cannot be reached, and goes on when it can", async () => {
    let isGone = true;
    const cause = new Error("channel closed");
    const { call, settle } = createCalls(() => {
      if (isGone) throw cause;
    });
    const [end] = await Promise.allSettled([call("one", null)]);
    expect(end).toEqual({
      status: "rejected",
      reason: new Error("one: the supervisor is gone", { cause }),
    });
    // However many fail, none of them waits for an answer.
    await Promise.allSettled(Array.from({ length: 10_000 }, () => call("lost", null)));
    isGone = false;
    const result = call("two", null);
    settle({ type: "reply", id: 10_002, result: "there" });
    expect(await result).toBe("there");
  });

  test("refuses beyond ten thousand calls without an answer, and sends nothing then", async () => {
    const { call, settle, sent } = loggedCalls();
    for (let i = 0; i < 10_000; i++) call("wait", null);
    await expect(call("one more", null)).rejects.toThrow("one more: 10000 unanswered");
    expect(sent.length).toBe(10_000);
    settle({ type: "reply", id: 1 });
    call("fits", null);
    expect(sent.at(-1)?.name).toBe("fits");
  });
});
