import { describe, expect, test } from "bun:test";
import { createRestartPolicy, type WorkerEnd } from "../../src/processes/restart-policy.ts";

/** A policy whose clock is set by hand. */
function manualPolicy() {
  let nowMs = 1_000_000;
  const decide = createRestartPolicy(() => nowMs);
  return {
    decide,
    advance(ms: number) {
      nowMs += ms;
    },
  };
}

const crashAtStart: WorkerEnd = { code: 1, signal: null, servedMs: 0 };
const crashAfter = (servedMs: number): WorkerEnd => ({ code: 1, signal: null, servedMs });
const after = (restartAfterMs: number) => ({ restartAfterMs });

describe("restart policy", () => {
  test("waits twice as long after each crash, then gives up at the fifth", () => {
    const { decide } = manualPolicy();
    const decisions = Array.from({ length: 5 }, () => decide(crashAtStart));
    expect(decisions).toEqual([after(100), after(200), after(400), after(800), "give up"]);
  });

  test("never waits longer than five seconds while crashes are rare", () => {
    const { decide, advance } = manualPolicy();
    const waits = Array.from({ length: 10 }, () => {
      advance(20_000);
      return decide(crashAtStart);
    });
    expect(waits.slice(5)).toEqual([3_200, 5_000, 5_000, 5_000, 5_000].map(after));
  });

  test("forgets a crash when a minute has passed, not before", () => {
    for (const [pauseMs, isForgotten] of [
      [59_999, false],
      [60_000, true],
    ] as const) {
      const { decide, advance } = manualPolicy();
      decide(crashAtStart);
      advance(pauseMs);
      for (let i = 0; i < 3; i++) decide(crashAtStart);
      expect(decide(crashAtStart) !== "give up").toBe(isForgotten);
    }
  });

  test("begins the waits anew after a worker that served for ten seconds", () => {
    const { decide, advance } = manualPolicy();
    decide(crashAtStart);
    decide(crashAtStart);
    advance(10_000);
    expect(decide(crashAfter(9_999))).toEqual(after(400));
    advance(60_000);
    expect(decide(crashAfter(10_000))).toEqual(after(100));
    expect(decide(crashAtStart)).toEqual(after(200));
  });

  test("counts a worker that ended itself with an error, however long it served", () => {
    const { decide } = manualPolicy();
    const decisions = Array.from({ length: 5 }, () => decide(crashAfter(3_600_000)));
    expect(decisions[4]).toBe("give up");
  });

  test.each(["SIGSEGV", "SIGABRT", "SIGILL", "SIGBUS"])(
    "counts a worker that fell to %s",
    (signal) => {
      const { decide } = manualPolicy();
      const fell: WorkerEnd = { code: null, signal, servedMs: 60_000 };
      expect(Array.from({ length: 5 }, () => decide(fell))[4]).toBe("give up");
    },
  );

  const endsFromOutside: [what: string, end: Omit<WorkerEnd, "servedMs">][] = [
    ["killed, as by the kernel for its memory", { code: null, signal: "SIGKILL" }],
    ["told to stop, which it obeys", { code: 0, signal: null }],
    ["told to stop, before it could obey", { code: null, signal: "SIGTERM" }],
  ];

  test.each(endsFromOutside)("replaces at once, however often, a worker that was %s", (_, end) => {
    const { decide } = manualPolicy();
    for (let i = 0; i < 20; i++) expect(decide({ ...end, servedMs: 1_000 })).toEqual(after(100));
  });

  test.each(endsFromOutside)(
    "counts a worker that ends before it served a second: %s",
    (_, end) => {
      const { decide } = manualPolicy();
      const decisions = Array.from({ length: 5 }, () => decide({ ...end, servedMs: 999 }));
      expect(decisions[4]).toBe("give up");
    },
  );
});
