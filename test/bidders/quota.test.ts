import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createQuota } from "../../src/bidders/quota.ts";

describe("quota", () => {
  test("gives a call every few seconds where it is less than one a second", () => {
    let nowMs = 0;
    const quota = createQuota(0.5, () => nowMs);
    expect([quota.take(), quota.take()]).toEqual([true, false]);
    nowMs = 1_999;
    expect(quota.take()).toBe(false);
    nowMs = 2_000;
    expect([quota.take(), quota.take()]).toEqual([true, false]);
  });

  test("never gives more than its rate and a tenth of a second's calls", () => {
    const gaps = fc.array(fc.nat(50), { minLength: 100, maxLength: 300 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), gaps, (perSecond, steps) => {
        let nowMs = 0;
        let given = 0;
        const quota = createQuota(perSecond, () => nowMs);
        const burst = Math.max(1, perSecond / 10);
        for (const step of steps) {
          nowMs += step;
          while (quota.take()) given++;
          expect(given).toBeLessThanOrEqual(burst + (nowMs * perSecond) / 1_000 + 1e-6);
        }
        // All of it where no step is longer than what the bucket holds: 50 ms of 20 a second.
        const due = perSecond < 20 ? 0 : Math.floor((nowMs * perSecond) / 1_000) - 1;
        expect(given).toBeGreaterThanOrEqual(due);
      }),
    );
  });
});
