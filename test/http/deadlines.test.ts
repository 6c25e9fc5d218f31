import { afterEach, describe, expect, test } from "bun:test";
import { createDeadlines, type Deadlines } from "../../src/http/deadlines.ts";
import { until } from "../support/until.ts";

const BUDGET_MS = 1_000;
const never = () => new Promise<never>(() => {});
const opened: Deadlines[] = [];
afterEach(() => {
  for (const deadlines of opened.splice(0)) deadlines.stop();
});

/** Deadlines that look every millisecond at a clock that is set by hand. */
function manualDeadlines() {
  let nowMs = 0;
  const deadlines = createDeadlines(BUDGET_MS, 1, () => nowMs);
  opened.push(deadlines);
  /** Sets the clock; resolves when it has been looked at. */
  async function advance(ms: number): Promise<void> {
    nowMs += ms;
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  return { ...deadlines, advance };
}

/** Records how promises end, in order. */
function watch() {
  const ends: unknown[] = [];
  const add = (promise: Promise<unknown>) => {
    promise.then(
      (value) => ends.push(value),
      (fault) => ends.push(`failed: ${fault}`),
    );
  };
  return { ends, add };
}

describe("deadlines", () => {
  test("let work through that ends in time, with its value or its fault", async () => {
    const { guard } = manualDeadlines();
    const expired = () => "expired";
    expect(await guard(Promise.resolve("done"), expired)).toBe("done");
    expect(await guard(Promise.reject("broken"), expired).catch((f) => f)).toBe("broken");
  });

  test("answer for work whose budget is over, and not a moment before", async () => {
    const { guard, advance } = manualDeadlines();
    const { ends, add } = watch();
    add(guard(never(), () => "expired"));
    await advance(BUDGET_MS - 0.001);
    expect(ends).toEqual([]);
    await advance(0.001);
    expect(ends).toEqual(["expired"]);
  });

  test("call onExpired once for work that is over, never for work that ended", async () => {
    const { guard, advance } = manualDeadlines();
    const expired: string[] = [];
    const work = Promise.withResolvers<void>();
    const overdue = guard(work.promise, () => void expired.push("overdue"));
    await guard(Promise.resolve(), () => void expired.push("done"));
    await advance(BUDGET_MS);
    await overdue;
    work.resolve();
    await advance(BUDGET_MS * 10);
    expect(expired).toEqual(["overdue"]);
  });

  test("swallow what work says after its deadline", async () => {
    const { guard, advance } = manualDeadlines();
    const { ends, add } = watch();
    const work = Promise.withResolvers<string>();
    add(guard(work.promise, () => "expired"));
    await advance(BUDGET_MS);
    work.reject("too late");
    await advance(0);
    expect(ends).toEqual(["expired"]);
  });

  test("expire in order of beginning, with settled work in between", async () => {
    const { guard, advance } = manualDeadlines();
    const { ends, add } = watch();
    add(guard(never(), () => "first"));
    await advance(10);
    const second = Promise.withResolvers<string>();
    add(guard(second.promise, () => "second expired"));
    await advance(10);
    add(guard(never(), () => "third"));
    second.resolve("second");
    await advance(BUDGET_MS - 20);
    expect(ends).toEqual(["second", "first"]);
    await advance(19);
    expect(ends).toEqual(["second", "first"]);
    await advance(1);
    expect(ends).toEqual(["second", "first", "third"]);
  });

  test("expire nothing any more once stopped", async () => {
    const { guard, advance, stop } = manualDeadlines();
    const { ends, add } = watch();
    add(guard(never(), () => "expired"));
    stop();
    await advance(BUDGET_MS * 2);
    expect(ends).toEqual([]);
  });

  test("hold nothing of work that has ended, though others began before it", async () => {
    const { guard } = manualDeadlines();
    let isGone = false;
    const registry = new FinalizationRegistry(() => {
      isGone = true;
    });
    guard(never(), () => "expired");
    await (async () => {
      const request = { size: 1 };
      registry.register(request, undefined);
      await guard(Promise.resolve(1), () => request.size);
    })();
    await until("the request is collected", () => {
      Bun.gc(true);
      return isGone;
    });
  });
});
