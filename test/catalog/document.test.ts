import { describe, expect, test } from "bun:test";
import { BIDDERS_MAX, CatalogError, validateCatalog } from "../../src/catalog/document.ts";

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

const withBidder = (more: object) => ({
  supplies: {},
  bidders: { b: { country: "US", ...more } },
});
const SIZE = { w: 300, h: 250 };
const withSupply = (more: object) => ({ supplies: { s: { bidders: [], ...more } }, bidders: {} });

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
    ["a misspelt field of a supply", { supplies: { s: { bidders: [], flor: 1 } }, bidders: {} }],
    ["a supply that is no list and no object", { supplies: { s: "b" }, bidders: {} }],
    ["a supply without bidders", { supplies: { s: { floor: 1 } }, bidders: {} }],
    ["a bidder without a country", { supplies: {}, bidders: { b: {} } }],
    ["a bidder with both", { supplies: {}, bidders: { b: { country: "US", countries: ["GB"] } } }],
    ["an endpoint that is no URL", withBidder({ endpoint: "bidder.example" })],
    ["an endpoint of another scheme", withBidder({ endpoint: "ftp://bidder.example/" })],
    ["an endpoint with a space", withBidder({ endpoint: "https://bidder.example/a b" })],
    ["no headers at all", withBidder({ headers: {} })],
    ["a header with a line break", withBidder({ headers: { "X-Key": "a\r\nb" } })],
    ["a latency that is no range", withBidder({ latency_ms: "20" })],
    ["a floor of three decimals", withSupply({ floor: 0.005 })],
    ["a floor below zero", withSupply({ floor: -1 })],
    ["an auction that nobody holds", withSupply({ auction: "third_price" })],
    ["a banner without a size", withSupply({ imp: { banner: { format: [] } } })],
    ["a size twice", withSupply({ imp: { banner: { format: [SIZE, SIZE] } } })],
    ["a protocol that is none", withSupply({ imp: { video: { mimes: ["a/b"], protocols: [0] } } })],
    ["a MIME type with a space", withSupply({ imp: { video: { mimes: ["a b"] } } })],
    ["a text with a NUL", withSupply({ domain: "a\0" })],
    ["a text with a half of a pair", withSupply({ domain: "\ud83d" })],
    ["a site and an app", withSupply({ domain: "a.example", app: { bundle: "a" } })],
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

  test("accepts everything that a bidder and a supply may say", () => {
    const bidder = {
      endpoint: "https://bidder.example/openrtb2",
      seat: "seat1",
      max_in_flight: 10,
      max_qps: 100,
      timeout_ms: 80,
      gzip: true,
      wait: false,
      headers: { Authorization: "Bearer x" },
      no_bid_probability: 0.5,
      latency_ms: "5-20",
    };
    const supply = {
      floor: 0.07,
      auction: "second_price",
      imp: { banner: { format: [{ w: 300, h: 250 }] }, video: { mimes: ["video/mp4"] } },
      domain: "news.example 😀",
    };
    expect(problemsOf(withBidder(bidder))).toEqual([]);
    expect(problemsOf(withSupply(supply))).toEqual([]);
  });

  test.each([
    [
      { endpoint: "http://10.0.0.1/bid" },
      "#/bidders/b/endpoint: expected a public address, 10.0.0.1 is private " +
        "(ALLOW_PRIVATE_BIDDERS=true allows it)",
    ],
    [
      { endpoint: "http://a@b/" },
      "#/bidders/b/endpoint: expected a URL without a user: use headers",
    ],
    [
      { headers: { "X-Key": "1", "Content-Length": "7" } },
      "#/bidders/b/headers/Content-Length: expected a header that the exchange does not set itself",
    ],
    [{ latency_ms: "20-10" }, "#/bidders/b/latency_ms: expected the least before the most"],
  ])("refuses a bidder with %j", (more, problem) => {
    expect(problemsOf(withBidder(more))).toEqual([problem]);
  });

  test("accepts bidders on this machine where private ones are allowed", () => {
    const input = withBidder({ endpoint: "http://localhost:9000/bid" });
    expect(validateCatalog(input, { allowPrivate: true }) as unknown).toBe(input);
    expect(problemsOf(input).length).toBe(1);
  });

  test("points into the long form of a supply", () => {
    const input = { supplies: { s: { bidders: ["nobody"], floor: "1" } }, bidders: {} };
    expect(problemsOf(input)[0]).toBe("#/supplies/s/floor: expected number");
    expect(problemsOf(withSupply({ bidders: ["nobody"] }))).toEqual([
      "#/supplies/s/bidders/0: expected the id of a bidder of this catalog",
    ]);
  });

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
