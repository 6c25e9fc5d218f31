import { expect, test } from "bun:test";
import fc from "fast-check";
import { plain, quoted, wordsOf } from "../../src/bidders/reason.ts";

test("what others wrote becomes a short line of printable ASCII, whatever it is", () => {
  const anyText = fc.string({ unit: "binary", maxLength: 500 });
  fc.assert(
    fc.property(anyText, fc.anything(), (text, value) => {
      const writable = (() => {
        try {
          return JSON.stringify(value) === undefined ? "" : value;
        } catch {
          return ""; // Nothing that JSON brought here: a bigint or a circle.
        }
      })();
      for (const line of [plain(text), quoted(text), quoted(writable), wordsOf(new Error(text))]) {
        expect(line).toMatch(/^[\x20-\x7e]{0,103}$/);
      }
    }),
  );
});

test("a long text shows that it was cut", () => {
  expect(plain("x".repeat(101))).toBe(`${"x".repeat(100)}...`);
  expect(plain("x".repeat(100))).toBe("x".repeat(100));
  expect(plain("abcdef", 3)).toBe("abc...");
});

test("values are shown as JSON, and one that is missing as nothing", () => {
  expect(quoted("a\nb")).toBe('"a\\nb"');
  expect(quoted({ a: [1] })).toBe('{"a":[1]}');
  expect(quoted(undefined)).toBe("nothing");
});

test("a value is looked at no deeper than it is shown", () => {
  let deep: unknown = {
    get member(): never {
      throw new Error("looked at");
    },
  };
  for (let level = 0; level < 41; level++) deep = [deep];
  expect(quoted(deep)).toBe(`${"[".repeat(40)}...`);
  expect(quoted({ a: deep })).toBe(`{"a":${"[".repeat(35)}...`);
});

test("a value that is cut reads as the beginning of its JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      expect(quoted(value)).toBe(plain(JSON.stringify(value), 40));
    }),
  );
});

test("an error is told by its code and its words", () => {
  expect(wordsOf(new Error("no such name"))).toBe("no such name");
  expect(wordsOf(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }))).toBe(
    "ECONNREFUSED: refused",
  );
  expect(wordsOf(Object.assign(new Error("EPIPE: broken"), { code: "EPIPE" }))).toBe(
    "EPIPE: broken",
  );
  expect(wordsOf("odd")).toBe("odd");
});
