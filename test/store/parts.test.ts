import { expect, test } from "bun:test";
import { partsOf } from "../../src/store/parts.ts";

test("a list is cut into full parts and what is left", () => {
  const parts = (items: number[]) => [...partsOf(items, 2)];
  expect(parts([])).toEqual([]);
  expect(parts([1])).toEqual([[1]]);
  expect(parts([1, 2, 3, 4])).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(parts([1, 2, 3])).toEqual([[1, 2], [3]]);
});
