import { describe, expect, test } from "bun:test";
import {
  BIDDERS_MAX,
  buildCatalog,
  CatalogError,
  validateCatalog,
} from "../../src/catalog/catalog.ts";

const GOOD = {
  supplies: { supply1: ["bidder1", "bidder2", "bidder3"], supply2: ["bidder2"], empty: [] },
  bidders: {
    bidder1: { country: "US" },
    bidder2: { country: "GB" },
    bidder3: { country: "US" },
  },
};

/** The problems of a catalog that is refused. */
function problemsOf(input: unknown): readonly string[] {
  try {
    validateCatalog(input);
  } catch (error) {
    if (error instanceof CatalogError) return error.problems;
    throw error;
  }
  return [];
}

/** A catalog of one bidder and one supply, with ids as given; JSON keeps even `__proto__` a key. */
const parseWith = (supplyId: string, bidderId: string) =>
  JSON.parse(
    `{"supplies":{${JSON.stringify(supplyId)}:[${JSON.stringify(bidderId)}]},` +
      `"bidders":{${JSON.stringify(bidderId)}:{"country":"US"}}}`,
  );

describe("validateCatalog", () => {
  test("returns a good catalog as it is", () => {
    expect(validateCatalog(GOOD)).toBe(GOOD);
  });

  test("accepts the catalog that the service ships with", async () => {
    expect(problemsOf(await Bun.file("data/catalog.json").json())).toEqual([]);
  });

  test("accepts a catalog without supplies and bidders", () => {
    expect(problemsOf({ supplies: {}, bidders: {} })).toEqual([]);
  });

  test("points at a bidder that the catalog does not have, and at one listed twice", () => {
    const input = { ...GOOD, supplies: { a: ["bidder1", "nobody"], b: ["bidder2", "bidder2"] } };
    expect(problemsOf(input)).toEqual([
      "#/supplies/a/1: expected the id of a bidder of this catalog",
      "#/supplies/b/1: expected each bidder once",
    ]);
  });

  test.each(["us", "USA", "U", "", "U1", "US\n", "ÄÖ"])("refuses the country %p", (country) => {
    const [problem, ...others] = problemsOf({ supplies: {}, bidders: { b: { country } } });
    expect(problem).toStartWith("#/bidders/b/country: expected ");
    expect(others).toEqual([]);
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a list", []],
    ["a text", "catalog"],
    ["supplies as a list", { supplies: [], bidders: {} }],
    ["bidders away", { supplies: {} }],
    ["a bidder id that is no text", { supplies: { s: [1] }, bidders: {} }],
    ["a misspelt field", { supplies: {}, bidders: {}, supplys: {} }],
    ["a misspelt field of a bidder", { supplies: {}, bidders: { b: { country: "US", floor: 1 } } }],
  ])("refuses %s", (_, input) => {
    expect(problemsOf(input).length).toBeGreaterThan(0);
  });

  test.each(["", " ", "a b", "tab\t", "line\n", "naïve", "x".repeat(65)])(
    "refuses the id %p of a supply and of a bidder",
    (id) => {
      expect(problemsOf({ supplies: { [id]: [] }, bidders: {} }).length).toBe(1);
      expect(problemsOf({ supplies: {}, bidders: { [id]: { country: "US" } } }).length).toBe(1);
    },
  );

  test("escapes the pointer of an id with a slash and a tilde", () => {
    const input = { supplies: { "a/b~c": ["nobody"] }, bidders: {} };
    expect(problemsOf(input)).toEqual([
      "#/supplies/a~1b~0c/0: expected the id of a bidder of this catalog",
    ]);
  });

  test("reports every fault, up to twenty", () => {
    const manyBad = (count: number) => ({
      supplies: { s: Array.from({ length: count }, (_, i) => `nobody${i}`) },
      bidders: {},
    });
    expect(problemsOf(manyBad(19)).length).toBe(19);
    expect(problemsOf(manyBad(500)).length).toBe(20);
    const badCountries = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`b${i}`, { country: "?" }]),
    );
    expect(problemsOf({ supplies: {}, bidders: badCountries }).length).toBe(20);
  });

  test("says each problem on a line of the message", () => {
    const error = new CatalogError(["#/a: one", "#/b: two"]);
    expect(error.message).toBe("bad catalog:\n  #/a: one\n  #/b: two");
  });

  test("accepts as many bidders for a supply as a journal record holds, and no more", () => {
    const withBidders = (count: number) => {
      const ids = Array.from({ length: count }, (_, i) => `b${i}`);
      return {
        supplies: { s: ids },
        bidders: Object.fromEntries(ids.map((id) => [id, { country: "US" }])),
      };
    };
    expect(problemsOf(withBidders(BIDDERS_MAX))).toEqual([]);
    expect(problemsOf(withBidders(BIDDERS_MAX + 1)).length).toBe(1);
  });

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "does not know the bidder %s because objects have such a name",
    (id) => {
      const input = { supplies: { s: [id] }, bidders: {} };
      expect(problemsOf(input)).toEqual([
        "#/supplies/s/0: expected the id of a bidder of this catalog",
      ]);
    },
  );
});

describe("buildCatalog", () => {
  test("keeps the order of a supply's bidders and groups their places by country", () => {
    const { supplies, bidderCount, version } = buildCatalog(GOOD, 7);
    const supply = supplies.get("supply1")!;
    expect(supply.bidders).toEqual([
      { id: "bidder1", country: "US" },
      { id: "bidder2", country: "GB" },
      { id: "bidder3", country: "US" },
    ]);
    expect([...supply.eligible]).toEqual([
      ["US", [0, 2]],
      ["GB", [1]],
    ]);
    expect([...supplies.keys()]).toEqual(["supply1", "supply2", "empty"]);
    expect(supplies.get("empty")!.eligible.size).toBe(0);
    expect([version, bidderCount]).toEqual([7, 3]);
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
    const { supplies, bidderCount } = buildCatalog(validateCatalog(parseWith(id, id)), 1);
    expect([...supplies.keys()]).toEqual([id]);
    expect(supplies.get(id)!.bidders).toEqual([{ id, country: "US" }]);
    expect(bidderCount).toBe(1);
  });

  test("has no supply that the document does not name", () => {
    const { supplies } = buildCatalog({ supplies: {}, bidders: {} }, 1);
    for (const id of ["__proto__", "constructor", ""]) expect(supplies.get(id)).toBeUndefined();
  });
});
