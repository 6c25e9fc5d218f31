import { describe, expect, test } from "bun:test";
import type { CatalogDocument } from "../../src/catalog/document.ts";
import { nameRow, toSupply, toTables } from "../../src/catalog/rows.ts";

const DOCUMENT = { bidders: { "a/b": { country: "US" } }, supplies: { s: ["a/b", "gone"] } };

describe("rows", () => {
  test("of a list have its order, and NULL is what the catalog does not say", () => {
    const bidders = { b: { countries: ["US", "GB"] } };
    const tables = toTables({ bidders, supplies: { s: ["b"] } });
    expect(tables.bidders).toEqual([expect.objectContaining({ id: "b", country: null })]);
    expect(tables.bidder_countries).toEqual([
      { bidder_id: "b", position: 1, country: "US" },
      { bidder_id: "b", position: 2, country: "GB" },
    ]);
    expect(tables.supply_bidders).toEqual([{ supply_id: "s", position: 1, bidder_id: "b" }]);
  });

  test("of a supply that says no more than its bidders are its short form", () => {
    const written: CatalogDocument["supplies"] = { s: [], t: { bidders: [], floor: 1 } };
    const { supplies } = toTables({ bidders: {}, supplies: written });
    const lists = { bidders: ["b"], formats: [], mimes: [], protocols: [] };
    const read: unknown[] = supplies.map((row) => toSupply(row, lists));
    expect(read).toEqual([["b"], { bidders: ["b"], floor: 1 }]);
  });
});

describe("a problem", () => {
  test.each([
    ["#/bidders/a~1b: x", "bidders.id=a/b: "],
    ["#/bidders/a~1b/endpoint: x", "bidders.id=a/b: "],
    ["#/bidders/a~1b/headers/k: x", "bidder_headers.bidder_id=a/b: "],
    ["#/bidders/a~1b/countries/0: x", "bidder_countries.bidder_id=a/b: "],
    ["#/supplies/s/floor: x", "supplies.id=s: "],
    ["#/supplies/s/1: x", "supply_bidders.supply_id=s bidder_id=gone: "],
    ["#/supplies/s/imp/banner/format/0/w: x", "supply_banner_formats.supply_id=s: "],
    ["#/supplies/s/imp/video/mimes: x", "supply_video_mimes.supply_id=s: "],
    ["#/supplies/s/imp/video/protocols/0: x", "supply_video_protocols.supply_id=s: "],
    ["#: x", ""],
  ])("of %p has its row before it", (problem, row) => {
    expect(nameRow(problem, DOCUMENT)).toBe(`${row}${problem}`);
  });
});
