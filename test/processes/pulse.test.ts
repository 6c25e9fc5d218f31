import { expect, test } from "bun:test";
import { createPulse } from "../../src/processes/pulse.ts";

const checks = (count: number, check: () => boolean) => Array.from({ length: count }, check);

test("who is silent for longer than allowed has no pulse", () => {
  const pulse = createPulse();
  expect(checks(4, () => pulse.check(3))).toEqual([true, true, true, false]);
});

test("a word begins the count anew", () => {
  const pulse = createPulse();
  expect(checks(3, () => pulse.check(3))).toEqual([true, true, true]);
  pulse.beat();
  expect(checks(4, () => pulse.check(3))).toEqual([true, true, true, false]);
});

test("more silence may be allowed at one check than at another", () => {
  const pulse = createPulse();
  expect(checks(9, () => pulse.check(9))).not.toContain(false);
  expect(pulse.check(3)).toBe(false);
});
