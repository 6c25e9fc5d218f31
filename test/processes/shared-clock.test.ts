import { expect, test } from "bun:test";
import { readSharedClock } from "../../src/processes/shared-clock.ts";

test("reads the other clock by its quickest answer, never ahead of it", async () => {
  let nowMs = 1_000;
  const theirsAtZeroMs = 5_000;
  const delays = [
    [9, 4],
    [1, 2],
    [6, 1],
    [30, 0],
    [0, 8],
  ];
  const clock = await readSharedClock(
    async () => {
      const [there, back] = delays.shift()!;
      nowMs += there!;
      const theirsMs = theirsAtZeroMs + nowMs;
      nowMs += back!;
      return theirsMs;
    },
    () => nowMs,
  );
  expect(clock.doubtMs).toBe(3);
  const truthMs = theirsAtZeroMs + nowMs;
  expect(clock.now()).toBeLessThanOrEqual(truthMs);
  expect(clock.now() + clock.doubtMs).toBeGreaterThanOrEqual(truthMs);
  nowMs += 500;
  expect(clock.now()).toBe(truthMs - 2 + 500);
});
