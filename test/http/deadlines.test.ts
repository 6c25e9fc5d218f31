import { afterEach, describe, expect, test } from "bun:test";
import { createDeadlines, type Deadlines, Guarded } from "../../src/http/deadlines.ts";
import { until } from "../support/until.ts";

const BUDGET_MS = 1_000;
const opened: Deadlines[] = [];
afterEach(() => {
  for (const deadlines of opened.splice(0)) deadlines.stop();
});

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

/** Deadlines that look every millisecond at a clock that is set by hand. */
function manualDeadlines() {
  let nowMs = 0;
  const deadlines = createDeadlines(BUDGET_MS, 1, () => nowMs);
  opened.push(deadlines);
  /** Names of those that expired, in order. */
  const expired: string[] = [];
  function begin(name: string): Guarded {
    const answer = new Named(name, expired);
    deadlines.enter(answer);
    return answer;
  }
  /** Sets the clock; resolves when it has been looked at. */
  async function advance(ms: number): Promise<void> {
    nowMs += ms;
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  return { begin, expired, advance, stop: deadlines.stop };
}

describe("an answer", () => {
  test("expires when its budget is over, once, and not a moment before", async () => {
    const { begin, expired, advance } = manualDeadlines();
    begin("slow");
    await advance(BUDGET_MS - 0.001);
    expect(expired).toEqual([]);
    await advance(0.001);
    expect(expired).toEqual(["slow"]);
    await advance(BUDGET_MS * 10);
    expect(expired).toEqual(["slow"]);
  });

  test("does not expire once it has left", async () => {
    const { begin, expired, advance } = manualDeadlines();
    begin("in time").leave();
    await advance(BUDGET_MS);
    expect(expired).toEqual([]);
  });

  test("may leave again, and after it has expired: the others stay", async () => {
    const { begin, expired, advance } = manualDeadlines();
    const first = begin("first");
    const second = begin("second");
    second.leave();
    await advance(BUDGET_MS - 1);
    begin("third");
    second.leave();
    await advance(1);
    first.leave();
    expect(expired).toEqual(["first"]);
    await advance(BUDGET_MS);
    expect(expired).toEqual(["first", "third"]);
  });

  test("expires in order of beginning, whoever has left in between", async () => {
    const { begin, expired, advance } = manualDeadlines();
    begin("first");
    await advance(10);
    const second = begin("second");
    await advance(10);
    begin("third");
    second.leave();
    await advance(BUDGET_MS - 20);
    expect(expired).toEqual(["first"]);
    await advance(19);
    expect(expired).toEqual(["first"]);
    await advance(1);
    expect(expired).toEqual(["first", "third"]);
  });

  test("does not expire any more once all are stopped", async () => {
    const { begin, expired, advance, stop } = manualDeadlines();
    begin("slow");
    stop();
    await advance(BUDGET_MS * 2);
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
