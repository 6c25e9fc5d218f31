import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createWindows } from "../../../src/store/embedded/windows.ts";

const LIMIT = { max: 3, windowMs: 60_000 };

/** Windows with a clock that the test moves. */
function windowsAt(clientsMax?: number, limit = LIMIT) {
  const clock = { nowMs: 1_000 };
  const windows = createWindows(limit, () => clock.nowMs, clientsMax);
  const ask = (client: string, wanted = 1) => windows.admit([{ client, wanted }])[0]!;
  return { ...windows, ask, clock };
}

describe("a window", () => {
  test("holds an admission until exactly one window later", () => {
    const { ask, clock } = windowsAt();
    expect(ask("a", 3)).toEqual({ granted: 3, remaining: 0, resetMs: 60_000 });
    clock.nowMs += 59_999.5;
    expect(ask("a")).toEqual({ granted: 0, remaining: 0, resetMs: 0.5 });
    clock.nowMs += 0.5;
    expect(ask("a")).toEqual({ granted: 1, remaining: 2, resetMs: 60_000 });
  });

  test("slides: each admission makes room by itself", () => {
    const { ask, clock } = windowsAt();
    const start = clock.nowMs;
    for (const atMs of [0, 1_000, 55_000]) {
      clock.nowMs = start + atMs;
      expect(ask("a").granted).toBe(1);
    }
    clock.nowMs = start + 60_200;
    expect(ask("a", 3)).toEqual({ granted: 1, remaining: 0, resetMs: 800 });
    clock.nowMs = start + 61_000;
    expect(ask("a", 3)).toEqual({ granted: 1, remaining: 0, resetMs: 54_000 });
  });

  test("is the same whatever a client was refused", () => {
    const { ask, clock } = windowsAt();
    ask("a", 3);
    for (let i = 0; i < 59; i++) {
      clock.nowMs += 1_000;
      expect(ask("a", 5).granted).toBe(0);
    }
    clock.nowMs += 1_000;
    expect(ask("a", 5).granted).toBe(3);
  });

  test("counts what was admitted elsewhere, also beyond the limit", () => {
    const { ask, note, clock } = windowsAt();
    for (let i = 0; i < 2; i++) note("a", clock.nowMs);
    expect(ask("a", 3)).toMatchObject({ granted: 1, remaining: 0 });
    clock.nowMs += 10_000;
    for (let i = 0; i < 2; i++) note("a", clock.nowMs);
    clock.nowMs += 1_000;
    // Five are in: three must leave before one fits.
    expect(ask("a")).toEqual({ granted: 0, remaining: 0, resetMs: 49_000 });
    clock.nowMs += 49_000;
    expect(ask("a")).toMatchObject({ granted: 1 });
  });

  test("counts what was admitted elsewhere from when that was", () => {
    const { ask, note, clock, size } = windowsAt();
    const start = clock.nowMs;
    clock.nowMs += 60_000;
    note("gone", start);
    expect(size()).toBe(0);
    note("a", start + 1);
    note("a", start + 40_000);
    expect(ask("a", 2)).toEqual({ granted: 1, remaining: 0, resetMs: 1 });
    clock.nowMs += 1;
    expect(ask("a", 2)).toEqual({ granted: 1, remaining: 0, resetMs: 39_999 });
  });
});

describe("the table", () => {
  test("keeps the half that was admitted last when it is full", () => {
    const { ask, size } = windowsAt(4);
    for (const client of ["a", "b", "c", "d", "e"]) ask(client);
    expect(size()).toBe(3);
    expect(ask("d", 3)).toMatchObject({ granted: 2, remaining: 0 });
    expect(ask("c", 3)).toMatchObject({ granted: 2, remaining: 0 });
    expect(ask("a", 3)).toMatchObject({ granted: 3, remaining: 0 }); // Forgotten.
  });

  test("is bounded under a flood of clients that never come back", () => {
    const { admit, ask, size, clock } = windowsAt(1_000);
    let most = 0;
    for (let i = 0; i < 20_000; i++) {
      clock.nowMs += 0.01;
      ask(`flood-${i}`);
      most = Math.max(most, size());
    }
    expect(most).toBe(1_000);
    admit(Array.from({ length: 5_000 }, (_, i) => ({ client: `batch-${i}`, wanted: 1 })));
    expect(size()).toBeLessThanOrEqual(1_000);
  });

  test("remembers the younger half also when a full table meets the end of a window", () => {
    const { ask, clock } = windowsAt(4);
    clock.nowMs += LIMIT.windowMs - 1;
    for (const client of ["a", "b", "c"]) ask(client, 3);
    clock.nowMs += 1;
    ask("d");
    expect(ask("b")).toMatchObject({ granted: 0 });
  });

  test("holds the clients of two windows at most, without being swept", () => {
    const { ask, size, clock } = windowsAt();
    for (const [round, clients] of [10_000, 10_000, 5_000].entries()) {
      for (let i = 0; i < clients; i++) ask(`${round}-${i}`);
      clock.nowMs += LIMIT.windowMs + 1;
    }
    expect(size()).toBe(15_000);
  });

  test("does not remember clients that were only refused", () => {
    const { ask, size, clock } = windowsAt();
    ask("a", 3);
    for (let i = 0; i < 100; i++) ask("a", 1);
    expect(size()).toBe(1);
    for (let i = 0; i < 2; i++) {
      clock.nowMs += LIMIT.windowMs;
      ask("b");
    }
    expect(size()).toBe(1);
  });
});

test("tells a time above nothing and within the window, whatever the clock's fractions", () => {
  const waits = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 30 });
  const start = fc.double({ min: 0, max: 1e10, noNaN: true });
  fc.assert(
    fc.property(start, waits, (startMs, waitsMs) => {
      const { ask, clock } = windowsAt(undefined, { max: 2, windowMs: 100 });
      clock.nowMs = startMs;
      for (const waitMs of waitsMs) {
        clock.nowMs += waitMs;
        const { resetMs } = ask("a");
        expect(resetMs).toBeGreaterThan(0);
        expect(resetMs).toBeLessThanOrEqual(100);
      }
    }),
    { numRuns: 500 },
  );
});

test("any sequence of calls is decided as by a list of all admissions", () => {
  const step = fc.record({
    waitMs: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom(0, 0.25, 99, 100)),
    entries: fc.array(
      fc.record({
        client: fc.constantFrom("a", "b", "__proto__"),
        wanted: fc.integer({ min: 1, max: 6 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  });
  const limits = fc.record({ max: fc.integer({ min: 1, max: 5 }), windowMs: fc.constant(100) });
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (limit, steps) => {
      const { admit, clock } = windowsAt(undefined, limit);
      const log: { client: string; atMs: number }[] = [];
      const inWindow = (client: string) =>
        log.filter((one) => one.client === client && one.atMs > clock.nowMs - limit.windowMs);
      for (const { waitMs, entries } of steps) {
        clock.nowMs += waitMs;
        const replies = admit(entries);
        entries.forEach(({ client, wanted }, i) => {
          const granted = Math.min(wanted, limit.max - inWindow(client).length);
          for (let n = 0; n < granted; n++) log.push({ client, atMs: clock.nowMs });
          const own = inWindow(client);
          expect(replies[i]).toEqual({
            granted,
            remaining: limit.max - own.length,
            resetMs: own[0]!.atMs + limit.windowMs - clock.nowMs,
          });
        });
      }
    }),
    { numRuns: 300 },
  );
});
