import { expect, test } from "bun:test";
import fc from "fast-check";
import { createLostRanges } from "../../src/stats/lost-ranges.ts";

test("tells each ordinal of a supply once, whatever is lost again with it", () => {
  const ranges = createLostRanges();
  expect(ranges.add("a", 10, 20)).toBe(10);
  expect(ranges.add("a", 10, 20)).toBe(0);
  expect(ranges.add("a", 15, 30)).toBe(10);
  expect(ranges.add("a", 5, 30)).toBe(5);
  expect(ranges.add("b", 10, 20)).toBe(10);
});

test("adds up to what was ever lost, for ranges that end further and further on", () => {
  const pair = fc.tuple(fc.nat(60), fc.nat(9));
  fc.assert(
    fc.property(fc.array(pair), (steps) => {
      const ranges = createLostRanges();
      const lost = new Set<number>();
      let told = 0;
      let to = 0;
      for (const [length, on] of steps) {
        to += on;
        const from = Math.max(0, to - length);
        told += ranges.add("a", from, to);
        for (let ordinal = from + 1; ordinal <= to; ordinal++) lost.add(ordinal);
        expect(told).toBe(lost.size);
      }
    }),
  );
});
