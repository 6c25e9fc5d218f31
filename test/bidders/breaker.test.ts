import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createBreaker, type Verdict } from "../../src/bidders/breaker.ts";

/** The library counts in promises. */
const settle = () => Bun.sleep(0);

function breakerAt(startMs = 0) {
  let nowMs = startMs;
  const changes: (string | undefined)[] = [];
  const breaker = createBreaker({ now: () => nowMs, onChange: (trouble) => changes.push(trouble) });
  return {
    ...breaker,
    changes,
    pass: (ms: number) => {
      nowMs += ms;
    },
    async report(...verdicts: Verdict[]): Promise<void> {
      for (const verdict of verdicts) breaker.permit()!.report(verdict, "why");
      await settle();
    },
  };
}

const times = (count: number, verdict: Verdict) => new Array<Verdict>(count).fill(verdict);

describe("breaker", () => {
  test("opens when more than half of the last calls failed, and not before five", async () => {
    const early = breakerAt();
    await early.report(...times(4, "failed"));
    expect(early.permit()).toBeDefined();
    await early.report("failed");
    expect(early.permit()).toBeUndefined();

    const half = breakerAt();
    for (let i = 0; i < 50; i++) await half.report("good", "failed");
    expect(half.permit()).toBeDefined();
    await half.report("failed", "failed");
    expect(half.permit()).toBeUndefined();
  });

  test("ignores what says nothing about the bidder", async () => {
    const breaker = breakerAt();
    await breaker.report(...times(100, "neutral"), ...times(4, "failed"));
    expect(breaker.permit()).toBeDefined();
  });

  test("tells of each change once, with the last failure", async () => {
    const breaker = breakerAt();
    await breaker.report(...times(5, "failed"));
    breaker.pass(1_000);
    await breaker.report("failed");
    breaker.pass(1_000);
    await breaker.report("good");
    expect(breaker.changes).toEqual(["breaker open, last failure: why", undefined]);
    expect(breaker.trouble()).toBeUndefined();
  });

  test("is not moved by calls that end while it is open", async () => {
    const breaker = breakerAt();
    const before = breaker.permit()!;
    await breaker.report(...times(5, "failed"));
    breaker.pass(1_000);
    before.report("good");
    await settle();
    expect(breaker.trouble()).toStartWith("breaker open");
    expect(breaker.permit()).toBeDefined();
  });

  test("begins anew when it closes", async () => {
    const breaker = breakerAt();
    await breaker.report(...times(20, "failed").slice(0, 5));
    breaker.pass(1_000);
    await breaker.report("good");
    await breaker.report(...times(2, "failed"));
    expect(breaker.permit()).toBeDefined();
  });

  test("lets through at most one call a second while every call fails", async () => {
    const steps = fc.array(fc.nat(400), { minLength: 20, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (gaps) => {
        const breaker = breakerAt();
        await breaker.report(...times(5, "failed"));
        let elapsedMs = 0;
        let trials = 0;
        for (const gap of gaps) {
          breaker.pass(gap);
          elapsedMs += gap;
          const permit = breaker.permit();
          if (!permit) continue;
          trials++;
          expect(breaker.permit()).toBeUndefined();
          permit.report("failed", "why");
          await settle();
        }
        expect(trials).toBeLessThanOrEqual(elapsedMs / 1_000);
        // Each trial waits for the first call after a second: a gap more.
        expect(trials).toBeGreaterThanOrEqual(Math.floor(elapsedMs / 1_400));
      }),
      { numRuns: 50 },
    );
  });
});
