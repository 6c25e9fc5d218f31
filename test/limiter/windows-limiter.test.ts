import { expect, test } from "bun:test";
import { createWindowsLimiter } from "../../src/limiter/windows-limiter.ts";
import { verdictOf } from "../support/asking.ts";
import { windowsOf } from "../support/windows.ts";

/** Windows where other processes were faster so many times. */
function lostRaces(times: number) {
  let left = times;
  return createWindowsLimiter({
    admit() {
      if (left-- > 0) throw new Error("lost");
      return { granted: 1, remaining: 2, resetMs: 1_000 };
    },
  });
}

test("tries once more where other processes were faster, and fails then", async () => {
  expect(await verdictOf(lostRaces(1))("a")).toMatchObject({ isAdmitted: true, remaining: 2 });
  await expect(verdictOf(lostRaces(2))("a") as Promise<unknown>).rejects.toThrow("lost");
});

test("answers at once, and refuses beyond the limit until the oldest admission leaves", () => {
  let nowMs = 0;
  const limiter = createWindowsLimiter(windowsOf({ max: 2, windowMs: 1_000 }, () => nowMs));
  expect(limiter.hasRoom()).toBe(true);
  expect(limiter.admit("a")).toEqual({ isAdmitted: true, remaining: 1, resetMs: 1_000 });
  nowMs = 400;
  expect(limiter.admit("a")).toEqual({ isAdmitted: true, remaining: 0, resetMs: 600 });
  expect(limiter.admit("a")).toEqual({ isAdmitted: false, remaining: 0, resetMs: 600 });
  expect(limiter.admit("b")).toMatchObject({ isAdmitted: true });
});
