import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createDenyCache } from "../../src/limiter/deny-cache.ts";

/** A cache whose clock is set by hand. */
function manualCache(clientsMax?: number) {
  let nowMs = 1_000;
  const cache = createDenyCache(clientsMax, () => nowMs);
  return {
    ...cache,
    now: () => nowMs,
    advance(ms: number) {
      nowMs += ms;
    },
  };
}

describe("deny cache", () => {
  test("knows nothing of a client that was not denied", () => {
    const { waitMs } = manualCache();
    for (const client of ["1.2.3.4", "__proto__", "constructor", ""])
      expect(waitMs(client)).toBe(0);
  });

  test("says how long a denied client has to wait, less by the drift allowed for", () => {
    const { deny, waitMs, now, advance } = manualCache();
    deny("a", now(), 60_000);
    expect(waitMs("a")).toBe(60_000 * 0.9995);
    advance(59_000);
    expect(waitMs("a")).toBeCloseTo(60_000 * 0.9995 - 59_000, 6);
  });

  test("counts from when the store was asked, not from its answer", () => {
    const { deny, waitMs, now, advance } = manualCache();
    const askedAtMs = now();
    advance(900); // The store was slow.
    deny("a", askedAtMs, 1_000);
    expect(waitMs("a")).toBeCloseTo(1_000 * 0.9995 - 900, 6);
    expect(waitMs("a")).toBeLessThanOrEqual(100);
  });

  test("asks again at once where the answer took longer than the wait", () => {
    const { deny, waitMs, now, advance } = manualCache();
    const askedAtMs = now();
    advance(2_000);
    deny("a", askedAtMs, 1_000);
    expect(waitMs("a")).toBe(0);
  });

  test("forgets a client when its time is over", () => {
    const { deny, waitMs, now, advance, size } = manualCache();
    deny("a", now(), 1_000);
    advance(1_000);
    expect([waitMs("a"), size()]).toEqual([0, 0]);
  });

  test("takes the latest answer for a client, and keeps one entry for it", () => {
    const { deny, waitMs, now, size } = manualCache();
    deny("a", now(), 1_000);
    deny("a", now(), 500);
    expect([waitMs("a"), size()]).toEqual([500 * 0.9995, 1]);
  });

  test("drops the half denied longest ago when it is full", () => {
    const { deny, waitMs, now, size } = manualCache(4);
    for (const client of ["a", "b", "c", "d", "e"]) deny(client, now(), 1_000);
    expect([waitMs("a"), waitMs("b"), size()]).toEqual([0, 0, 3]);
    expect(["c", "d", "e"].map((client) => waitMs(client) > 0)).toEqual([true, true, true]);
  });

  test("drops nobody when one that it knows is denied again at its bound", () => {
    const { deny, waitMs, now } = manualCache(4);
    deny("a", now(), 1_000);
    deny("b", now(), 1_000);
    deny("b", now(), 2_000);
    expect(waitMs("a") > 0).toBe(true);
  });

  test("stays within its bound, whoever is denied", () => {
    const { deny, now, size } = manualCache(100);
    for (let i = 0; i < 1_000; i++) deny(`client ${i}`, now(), 100);
    expect(size()).toBeLessThanOrEqual(100);
  });

  test("never denies beyond the true time, with a clock up to 500 ppm slower than the store's", () => {
    const step = fc.record({
      client: fc.constantFrom("a", "b", "c"),
      tookMs: fc.double({ min: 0, max: 2_000, noNaN: true }),
      waitMs: fc.double({ min: 0.001, max: 60_000, noNaN: true }),
      thenMs: fc.double({ min: 0, max: 70_000, noNaN: true }),
    });
    const slowness = fc.double({ min: 0, max: 0.0005, noNaN: true });
    fc.assert(
      fc.property(fc.array(step), slowness, (steps, slower) => {
        const { deny, waitMs, now, advance, size } = manualCache(2);
        const freeAtMs = new Map<string, number>(); // By the store's clock.
        let storeMs = 0;
        const pass = (ms: number) => {
          storeMs += ms;
          advance(ms * (1 - slower));
        };
        for (const { client, tookMs, waitMs: givenMs, thenMs } of steps) {
          const askedAtMs = now();
          freeAtMs.set(client, storeMs + givenMs);
          pass(tookMs);
          deny(client, askedAtMs, givenMs);
          pass(thenMs);
          expect(size()).toBeLessThanOrEqual(2);
          for (const [other, atMs] of freeAtMs) {
            const waitsMs = waitMs(other);
            const trueLeftMs = Math.max(0, atMs - storeMs);
            expect(waitsMs).toBeGreaterThanOrEqual(0);
            expect(waitsMs).toBeLessThanOrEqual(trueLeftMs + 1e-6);
          }
        }
      }),
    );
  });
});
