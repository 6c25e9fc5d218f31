import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { admissionRingOver, ringBytes } from "../../../src/store/embedded/admission-ring.ts";
import { createWindows } from "../../../src/store/embedded/windows.ts";
import { windowsOf } from "../../support/windows.ts";

const LIMIT = { max: 3, windowMs: 60_000 };

/** Windows with a clock that the test moves. */
function windowsAt(admissions?: number, limit = LIMIT) {
  const clock = { nowMs: 1_000 };
  const windows = windowsOf(limit, () => clock.nowMs, admissions);
  return { ...windows, ask: windows.admit, clock };
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

  test("keeps what was admitted longer by the doubt about the clock, and tells no more", () => {
    let nowMs = 0;
    const windows = windowsOf(LIMIT, () => nowMs, 256, 2);
    expect(windows.admit("a", 3)).toMatchObject({ granted: 3, resetMs: 60_000 });
    for (let i = 0; i < 3; i++) windows.note("b", nowMs);
    nowMs = 60_001;
    for (const client of ["a", "b"]) {
      expect(windows.admit(client)).toEqual({ granted: 0, remaining: 0, resetMs: 1 });
    }
    nowMs = 60_002;
    for (const client of ["a", "b"]) expect(windows.admit(client)).toMatchObject({ granted: 1 });
  });

  test("is not emptied early where another process's clock is ahead", () => {
    const bytes = new Uint8Array(ringBytes(256));
    let nowMs = 0;
    const at = (aheadMs: number) => {
      const now = () => nowMs + aheadMs;
      return createWindows({ limit: LIMIT, ring: admissionRingOver(bytes), now });
    };
    const [ahead, behind] = [at(5), at(0)];
    ahead.admit("a");
    behind.admit("a");
    behind.admit("b");
    nowMs = 60_000;
    // Admitted at 5 by the clock ahead: the second one counts from then as well.
    expect(behind.admit("a", 3)).toMatchObject({ granted: 1 });
    expect(behind.admit("b", 3)).toMatchObject({ granted: 3 });
  });
});

describe("a full ring", () => {
  test("forgets the oldest admission, whosever it is", () => {
    const { ask } = windowsAt(256);
    ask("a", 3);
    for (let i = 0; i < 200; i++) ask(`b-${i}`);
    expect(ask("a")).toMatchObject({ granted: 0 });
    for (let i = 0; i < 100; i++) ask(`c-${i}`);
    expect(ask("a", 3)).toMatchObject({ granted: 3 });
    expect(ask("c-99", 3)).toMatchObject({ granted: 2 });
  });

  test("decides on what it keeps of a client that fills it alone", () => {
    const { ask, clock } = windowsAt(64, { max: 1_000, windowMs: 1_000_000 });
    for (let i = 0; i < 500; i++) {
      clock.nowMs++;
      expect(ask("a").granted).toBe(1);
    }
    expect(ask("a").remaining).toBeGreaterThan(1_000 - 64);
  });
});

test("gives up where other processes are faster each time", () => {
  const ring = { lookUp: () => 0, timeOf: () => 0, append: () => false, note() {} };
  expect(() => createWindows({ limit: LIMIT, ring }).admit("a")).toThrow("lost 1000 races");
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
  const max = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(60));
  const limits = fc.record({ max, windowMs: fc.constant(100) });
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (limit, steps) => {
      const { admit, clock } = windowsAt(undefined, limit);
      const log: { client: string; atMs: number }[] = [];
      const inWindow = (client: string) =>
        log.filter((one) => one.client === client && one.atMs > clock.nowMs - limit.windowMs);
      for (const { waitMs, entries } of steps) {
        clock.nowMs += waitMs;
        for (const { client, wanted } of entries) {
          const reply = admit(client, wanted);
          const granted = Math.min(wanted, limit.max - inWindow(client).length);
          for (let n = 0; n < granted; n++) log.push({ client, atMs: clock.nowMs });
          const own = inWindow(client);
          expect(reply).toEqual({
            granted,
            remaining: limit.max - own.length,
            resetMs: own[0]!.atMs + limit.windowMs - clock.nowMs,
          });
        }
      }
    }),
    { numRuns: 300 },
  );
});
