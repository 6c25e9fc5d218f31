import { expect, test } from "bun:test";
import fc from "fast-check";
import { createGenerations } from "../../src/limiter/generations.ts";

test("keeps what was set since the turn before the last", () => {
  const { get, set, turn } = createGenerations<number>(100);
  set("a", 1);
  turn();
  set("b", 2);
  expect([get("a"), get("b")]).toEqual([1, 2]);
  turn();
  expect([get("a"), get("b")]).toEqual([undefined, 2]);
});

test("makes young what is set again", () => {
  const { get, set, turn, size } = createGenerations<number>(100);
  set("a", 1);
  turn();
  set("a", 2);
  expect(size()).toBe(1);
  turn();
  expect(get("a")).toBe(2);
});

test("turns by itself when half of its entries are young", () => {
  const { get, set, size } = createGenerations<number>(4);
  for (const [i, key] of ["a", "b", "c", "d", "e"].entries()) set(key, i);
  expect(["a", "b", "c", "d", "e"].map(get)).toEqual([undefined, undefined, 2, 3, 4]);
  expect(size()).toBe(3);
});

test("never holds more than its bound, nor forgets the younger half", () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String);
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.array(key), (most, keys) => {
      const table = createGenerations<number>(most);
      for (const [i, each] of keys.entries()) {
        table.set(each, i);
        expect(table.size()).toBeLessThanOrEqual(most);
        const latest = [...new Set(keys.slice(0, i + 1).reverse())].slice(0, Math.floor(most / 2));
        for (const recent of latest) expect(table.get(recent)).toBeDefined();
      }
    }),
  );
});

test("forgets what is deleted, young and old", () => {
  const { get, set, turn, delete: remove, size } = createGenerations<number>(100);
  set("a", 1);
  turn();
  set("b", 2);
  remove("a");
  expect([get("a"), get("b")]).toEqual([undefined, 2]);
  remove("b");
  expect([get("b"), size()]).toEqual([undefined, 0]);
});
