import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  bidderField,
  countryField,
  offsetField,
  parseField,
  TOTAL,
} from "../../src/store/counters.ts";

test("a field says what it counts", () => {
  expect(parseField(TOTAL)).toEqual({ kind: "total" });
  expect(parseField(countryField("GB"))).toEqual({ kind: "country", country: "GB" });
});

test("a bidder's field is read back whatever its id holds", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (bidderId) => {
      const field = bidderField(bidderId, "no_bids");
      expect(parseField(field)).toEqual({ kind: "bidder", bidderId, counter: "no_bids" });
    }),
  );
});

test("offsets, and what a newer version wrote, count nothing", () => {
  expect(parseField(offsetField("p"))).toBeUndefined();
  expect(parseField("something else")).toBeUndefined();
});
