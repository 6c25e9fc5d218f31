import { expect, test } from "bun:test";
import { createWindowsLimiter } from "../../src/limiter/windows-limiter.ts";
import { windowsOf } from "../support/windows.ts";

test("rejects, and does not throw, where there is no verdict", async () => {
  const fault = new Error("lost");
  const limiter = createWindowsLimiter({
    admit() {
      throw fault;
    },
    note() {},
  });
  await expect(limiter.admit("a") as Promise<unknown>).rejects.toBe(fault);
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
