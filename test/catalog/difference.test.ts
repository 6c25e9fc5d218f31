import { expect, test } from "bun:test";
import fc from "fast-check";
import { describeDifference } from "../../src/catalog/difference.ts";
import type { CatalogDocument } from "../../src/catalog/document.ts";
import { anyCatalog } from "../support/catalogs.ts";

const OLD: CatalogDocument = {
  bidders: { a: { country: "US" }, b: { country: "GB" } },
  supplies: { s: ["a", "b"], t: ["a"] },
};

test("tells what is new, gone and changed, with the fields", () => {
  const now: CatalogDocument = {
    bidders: { a: { countries: ["US"], gzip: true }, c: { country: "GB" } },
    supplies: { s: { bidders: ["c", "a"], floor: 1 }, u: [] },
  };
  expect(describeDifference(OLD, now)).toEqual([
    "~ bidder a: country, countries, gzip",
    "+ bidder c",
    "- bidder b",
    "~ supply s: bidders, floor",
    "+ supply u",
    "- supply t",
  ]);
});

test("the short and the long form of a supply are the same", () => {
  const supplies = { ...OLD.supplies, s: { bidders: ["a", "b"] } };
  expect(describeDifference(OLD, { ...OLD, supplies })).toEqual([]);
});

test("the order of bidders is a change, that of the entries is none", () => {
  const supplies = { t: ["a"], s: ["b", "a"] };
  expect(describeDifference(OLD, { ...OLD, supplies })).toEqual(["~ supply s: bidders"]);
});

test("takes ids named like object members for ids", () => {
  const supplies = JSON.parse('{"__proto__": ["a"], "constructor": []}');
  const lines = describeDifference({ ...OLD, supplies: {} }, { ...OLD, supplies });
  expect(lines).toEqual(["+ supply __proto__", "+ supply constructor"]);
});

test("there is none between a catalog and itself, and each has its counterpart back", () => {
  fc.assert(
    fc.property(anyCatalog, anyCatalog, (one, other) => {
      expect(describeDifference(one, structuredClone(one))).toEqual([]);
      const signs = (lines: string[]) => lines.map((line) => line[0]).sort();
      const mirrored = { "+": "-", "-": "+", "~": "~" } as Record<string, string>;
      const there = signs(describeDifference(one, other));
      const back = signs(describeDifference(other, one));
      expect(there.map((sign) => mirrored[sign!]!).sort()).toEqual(back as string[]);
    }),
  );
});
