import { describe, expect, test } from "bun:test";
import { createDeadlines, Guarded } from "../../src/http/deadlines.ts";
import { until } from "../support/until.ts";

const BUDGET_MS = 1_000;

class Named extends Guarded {
  readonly name: string;
  readonly expired: string[];

  constructor(name: string, expired: string[]) {
    super();
    this.name = name;
    this.expired = expired;
  }

  override expire(): void {
    this.expired.push(this.name);
  }
}

/** Deadlines on a clock that is set by hand, and looked at then. */
function manualDeadlines() {
  let nowMs = 0;
  let look = () => {};
  const deadlines = createDeadlines(
    BUDGET_MS,
    () => nowMs,
    (_ms, run) => {
      look = run;
      return () => {
        look = () => {};
      };
    },
  );
  /** Names of those that expired, in order. */
  const expired: string[] = [];
  function begin(name: string): Guarded {
    const answer = new Named(name, expired);
    deadlines.enter(answer);
    return answer;
  }
  function advance(ms: number): void {
    nowMs += ms;
    look();
  }
  return { begin, expired, advance, stop: deadlines.stop };
}

describe("an answer", () => {
  test("expires when its budget is over, once, and not a moment before", () => {
    const { begin, expired, advance } = manualDeadlines();
    begin("slow");
    advance(BUDGET_MS - 0.001);
    expect(expired).toEqual([]);
    advance(0.001);
    expect(expired).toEqual(["slow"]);
    advance(BUDGET_MS * 10);
    expect(expired).toEqual(["slow"]);
  });

  test("does not expire once it has left", () => {
    const { begin, expired, advance } = manualDeadlines();
    begin("in time").leave();
    advance(BUDGET_MS);
    expect(expired).toEqual([]);
  });

  test("may leave again, and after it has expired: the others stay", () => {
    const { begin, expired, advance } = manualDeadlines();
    const first = begin("first");
    const second = begin("second");
    second.leave();
    advance(BUDGET_MS - 1);
    begin("third");
    second.leave();
    advance(1);
    first.leave();
    expect(expired).toEqual(["first"]);
    advance(BUDGET_MS);
    expect(expired).toEqual(["first", "third"]);
  });

  test("expires in order of beginning, whoever has left in between", () => {
    const { begin, expired, advance } = manualDeadlines();
    begin("first");
    advance(10);
    const second = begin("second");
    advance(10);
    begin("third");
    second.leave();
    advance(BUDGET_MS - 20);
    expect(expired).toEqual(["first"]);
    advance(19);
    expect(expired).toEqual(["first"]);
    advance(1);
    expect(expired).toEqual(["first", "third"]);
  });

  test("does not expire any more once all are stopped", () => {
    const { begin, expired, advance, stop } = manualDeadlines();
    begin("slow");
    stop();
    advance(BUDGET_MS * 2);
    expect(expired).toEqual([]);
  });

  test("is not held once it has left, though others began before it", async () => {
    const { begin } = manualDeadlines();
    let isGone = false;
    const registry = new FinalizationRegistry(() => {
      isGone = true;
    });
    begin("before");
    (() => {
      const answer = begin("one");
      registry.register(answer, undefined);
      answer.leave();
    })();
    begin("after");
    await until("the answer is collected", () => {
      Bun.gc(true);
      return isGone;
    });
  });
});
