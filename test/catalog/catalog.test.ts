import { describe, expect, test } from "bun:test";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { validateCatalog } from "../../src/catalog/document.ts";

const GOOD = {
  supplies: { supply1: ["bidder1", "bidder2", "bidder3"], supply2: ["bidder2"], empty: [] },
  bidders: {
    bidder1: { country: "US" },
    bidder2: { country: "GB" },
    bidder3: { country: "US" },
  },
};

/** A catalog of one bidder and one supply, with ids as given; JSON keeps even `__proto__` a key. */
const parseWith = (supplyId: string, bidderId: string) =>
  JSON.parse(
    `{"supplies":{${JSON.stringify(supplyId)}:[${JSON.stringify(bidderId)}]},` +
      `"bidders":{${JSON.stringify(bidderId)}:{"country":"US"}}}`,
  );

describe("buildCatalog", () => {
  test("keeps the order of a supply's bidders and groups their places by country", () => {
    const { supplies, bidders, version } = buildCatalog(GOOD, 7);
    const supply = supplies.get("supply1")!;
    expect(supply.bidders).toEqual([
      { id: "bidder1", countries: ["US"], settings: { country: "US" } },
      { id: "bidder2", countries: ["GB"], settings: { country: "GB" } },
      { id: "bidder3", countries: ["US"], settings: { country: "US" } },
    ]);
    expect([...supply.eligible]).toEqual([
      ["US", [0, 2]],
      ["GB", [1]],
    ]);
    expect([...supplies.keys()]).toEqual(["supply1", "supply2", "empty"]);
    expect(supplies.get("empty")!.eligible.size).toBe(0);
    expect([version, [...bidders.keys()]]).toEqual([7, ["bidder1", "bidder2", "bidder3"]]);
  });

  test("lists bidders in the supply's order, not the catalog's, even for ids that are numbers", () => {
    const document = {
      supplies: { s: ["10", "9", "b"] },
      bidders: { 9: { country: "US" }, 10: { country: "US" }, b: { country: "US" } },
    };
    const { bidders } = buildCatalog(validateCatalog(document), 1).supplies.get("s")!;
    expect(bidders.map(({ id }) => id)).toEqual(["10", "9", "b"]);
  });

  test.each(["__proto__", "constructor", "toString"])("takes %s for an id like any other", (id) => {
    const { supplies, bidders } = buildCatalog(validateCatalog(parseWith(id, id)), 1);
    expect([...supplies.keys()]).toEqual([id]);
    expect(supplies.get(id)!.bidders).toMatchObject([{ id, countries: ["US"] }]);
    expect([...bidders.keys()]).toEqual([id]);
  });

  test("has no supply that the document does not name", () => {
    const { supplies } = buildCatalog({ supplies: {}, bidders: {} }, 1);
    for (const id of ["__proto__", "constructor", ""]) expect(supplies.get(id)).toBeUndefined();
  });

  test("has a bidder of several countries among the eligible of each", () => {
    const bidders = { a: { country: "US" }, b: { countries: ["GB", "US"] } };
    const { supplies } = buildCatalog({ supplies: { s: ["b", "a"] }, bidders }, 1);
    expect([...supplies.get("s")!.eligible]).toEqual([
      ["GB", [0]],
      ["US", [0, 1]],
    ]);
  });

  test("gives the short form of a supply no floor and the first price", () => {
    const { supplies } = buildCatalog({ supplies: { s: [], t: { bidders: [] } }, bidders: {} }, 1);
    for (const id of ["s", "t"]) {
      expect(supplies.get(id)).toMatchObject({ floorMicros: 0, auction: "first_price" });
      expect(supplies.get(id)!.placement).toEqual({});
    }
  });

  test("turns a floor into whole micros", () => {
    const floors = { s: { bidders: [], floor: 0.07, auction: "second_price" as const } };
    const { supplies } = buildCatalog({ supplies: floors, bidders: {} }, 1);
    expect(supplies.get("s")).toMatchObject({ floorMicros: 70_000, auction: "second_price" });
  });
});
