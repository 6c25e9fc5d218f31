import { expect, test } from "bun:test";
import fc from "fast-check";
import { escapePointer, ruleOf, unescapePointer } from "../src/json-fault.ts";

test("a key is one part of a JSON pointer, whatever is in it", () => {
  expect(escapePointer("a/b~c")).toBe("a~1b~0c");
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("~", "/", "0", "1", "a") }), (key) => {
      expect(escapePointer(key)).not.toContain("/");
      expect(unescapePointer(escapePointer(key))).toBe(key);
    }),
  );
});

test("a rule goes on in the middle of a line", () => {
  expect(ruleOf({ message: "Expected number" })).toBe("expected number");
});
