import { expect, test } from "bun:test";
import fc from "fast-check";
import { createAdmissionLog } from "../../src/limiter/admission-log.ts";

/** A log, and what it hands over. */
function logOf(admissionsMax: number) {
  const { add, drain } = createAdmissionLog(admissionsMax);
  const drained = (): [string, number][] => {
    const all: [string, number][] = [];
    drain((client, atMs) => all.push([client, atMs]));
    return all;
  };
  return { add, drained };
}

test("hands over every admission once, in order", () => {
  const { add, drained } = logOf(10);
  add("a", 1);
  add("b", 2);
  add("a", 2);
  expect(drained()).toEqual([
    ["a", 1],
    ["b", 2],
    ["a", 2],
  ]);
  expect(drained()).toEqual([]);
  add("c", 3);
  expect(drained()).toEqual([["c", 3]]);
});

test("keeps the latest, at least half of its bound and never more than it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 9 }), fc.nat(40), (admissionsMax, added) => {
      const { add, drained } = logOf(admissionsMax);
      for (let i = 0; i < added; i++) add(`${i}`, i);
      const kept = drained().map(([, atMs]) => atMs);
      expect(kept.length).toBeLessThanOrEqual(admissionsMax);
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(added, Math.floor(admissionsMax / 2)));
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => added - kept.length + i));
    }),
  );
});
