import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { buildCatalog, type Catalog } from "../../src/catalog/catalog.ts";
import { formatMicros, writeReport } from "../../src/stats/report.ts";

function catalogOf(supplies: [id: string, bidderIds: string[]][]): Catalog {
  const ids = [...new Set(supplies.flatMap(([, bidderIds]) => bidderIds))];
  const entries = (pairs: [string, unknown][]) => Object.fromEntries(pairs);
  const document = {
    supplies: entries(supplies) as Record<string, string[]>,
    bidders: entries(ids.map((id) => [id, { country: "US" }])) as Record<
      string,
      { country: string }
    >,
  };
  return buildCatalog(document, 1);
}

/** Counters as a store reads them. */
const countersOf = (supplies: Record<string, Record<string, string>>) =>
  new Map(Object.entries(supplies).map(([id, fields]) => [id, new Map(Object.entries(fields))]));

const zeros = {
  wins: 0,
  total_revenue: 0,
  no_bids: 0,
  timeouts: 0,
  errors: 0,
  invalid: 0,
  bids: 0,
};

describe("the report", () => {
  test("is the example of the contract", async () => {
    const counters = countersOf({
      supply1: {
        "bidder:bidder1:bids": "6",
        "bidder:bidder1:errors": "1",
        "bidder:bidder1:no_bids": "3",
        "country:US": "5",
        "country:GB": "5",
        "bidder:bidder1:revenue_micros": "400000",
        "offset:boot-1-1": "10",
        total_reqs: "10",
        "bidder:bidder1:wins": "2",
      },
    });
    expect(await writeReport(catalogOf([["supply1", ["bidder1"]]]), counters)).toBe(
      '{"supply1":{"total_reqs":10,"reqs_per_country":{"GB":5,"US":5},' +
        '"bidders":{"bidder1":{"wins":2,"total_revenue":0.4,"no_bids":3,"timeouts":0,' +
        '"errors":1,"invalid":0,"bids":6}}}}',
    );
  });

  test("shows each supply and bidder of the catalog with zeros", async () => {
    const catalog = catalogOf([
      ["s1", ["b1", "b2"]],
      ["s2", []],
    ]);
    expect(JSON.parse(await writeReport(catalog, new Map()))).toEqual({
      s1: { total_reqs: 0, reqs_per_country: {}, bidders: { b1: zeros, b2: zeros } },
      s2: { total_reqs: 0, reqs_per_country: {}, bidders: {} },
    });
  });

  test("keeps every digit of a counter", async () => {
    const text = await writeReport(
      catalogOf([["s", ["b"]]]),
      countersOf({
        s: {
          total_reqs: "9007199254740993",
          "country:US": "9007199254740993",
          "bidder:b:wins": "9007199254740995",
          "bidder:b:revenue_micros": "9007199254740993000001",
          "bidder:b:no_bids": "9007199254740997",
          "bidder:b:timeouts": "9223372036854775807",
        },
      }),
    );
    expect(text).toBe(
      '{"s":{"total_reqs":9007199254740993,"reqs_per_country":{"US":9007199254740993},' +
        '"bidders":{"b":{"wins":9007199254740995,"total_revenue":9007199254740993.000001,' +
        '"no_bids":9007199254740997,"timeouts":9223372036854775807,' +
        '"errors":0,"invalid":0,"bids":0}}}}',
    );
  });

  test("shows what was counted before it left the catalog, behind, by name", async () => {
    const catalog = catalogOf([
      ["z", ["b9", "b1"]],
      ["m", []],
    ]);
    const counters = countersOf({
      gone: { total_reqs: "1", "bidder:b7:wins": "1" },
      also: { total_reqs: "2" },
      z: {
        total_reqs: "3",
        "bidder:old:no_bids": "1",
        "bidder:b1:wins": "1",
        "bidder:a:wins": "2",
      },
    });
    const report = JSON.parse(await writeReport(catalog, counters));
    expect(Object.keys(report)).toEqual(["z", "m", "also", "gone"]);
    expect(Object.keys(report.z.bidders)).toEqual(["b9", "b1", "a", "old"]);
    expect(report.z.bidders.old).toEqual({ ...zeros, no_bids: 1 });
    expect(report.gone.bidders.b7).toEqual({ ...zeros, wins: 1 });
  });

  test("leaves out an unknown supply that holds nothing but offsets", async () => {
    const counters = countersOf({ gone: { "offset:p": "0" }, s: { "offset:p": "0" } });
    expect(Object.keys(JSON.parse(await writeReport(catalogOf([["s", []]]), counters)))).toEqual([
      "s",
    ]);
  });

  test("narrows to one supply", async () => {
    const catalog = catalogOf([
      ["s", ["b"]],
      ["t", ["b"]],
    ]);
    const counters = countersOf({ t: { total_reqs: "7" }, gone: { total_reqs: "1" } });
    expect(JSON.parse(await writeReport(catalog, counters, "t"))).toMatchObject({
      t: { total_reqs: 7 },
    });
    expect(Object.keys(JSON.parse(await writeReport(catalog, counters, "t")))).toEqual(["t"]);
    expect(Object.keys(JSON.parse(await writeReport(catalog, counters, "gone")))).toEqual(["gone"]);
  });

  test("shows awkward ids as they are", async () => {
    const ids = ["constructor", 'a"b', "back\\slash", "x:wins", "a:b", "{}"];
    const catalog = catalogOf(ids.map((id) => [id, ids]));
    const fields = Object.fromEntries(ids.map((id, i) => [`bidder:${id}:wins`, String(i + 1)]));
    const counters = countersOf(
      Object.fromEntries(ids.map((id) => [id, { total_reqs: "1", ...fields }])),
    );
    const report = JSON.parse(await writeReport(catalog, counters));
    expect(Object.keys(report)).toEqual(ids);
    for (const id of ids) {
      expect(Object.keys(report[id].bidders)).toEqual(ids);
      ids.forEach((bidderId, i) => {
        expect(report[id].bidders[bidderId].wins).toBe(i + 1);
      });
    }
  });

  test("shows a supply and a bidder that are named __proto__", async () => {
    const counters = new Map([
      ["__proto__", new Map(Object.entries({ total_reqs: "1", "bidder:__proto__:wins": "1" }))],
    ]);
    expect(await writeReport(catalogOf([]), counters)).toBe(
      '{"__proto__":{"total_reqs":1,"reqs_per_country":{},"bidders":{"__proto__":' +
        '{"wins":1,"total_revenue":0,"no_bids":0,"timeouts":0,"errors":0,"invalid":0,"bids":0}}}}',
    );
  });

  test("ignores fields that a newer version wrote", async () => {
    const counters = countersOf({
      s: { total_reqs: "1", "hour:12": "5", note: "x", "bidder:b:clicks": "4" },
    });
    expect(JSON.parse(await writeReport(catalogOf([["s", ["b"]]]), counters))).toEqual({
      s: { total_reqs: 1, reqs_per_country: {}, bidders: { b: zeros } },
    });
  });
});

describe("money", () => {
  test.each([
    [0n, "0"],
    [1n, "0.000001"],
    [10_000n, "0.01"],
    [400_000n, "0.4"],
    [1_000_000n, "1"],
    [1_010_000n, "1.01"],
    [123_456_789n, "123.456789"],
    [100_000_000n, "100"],
    [-10_000n, "-0.01"],
  ])("%p micros are %s", (micros, text) => {
    expect(formatMicros(micros)).toBe(text);
  });

  test("reads back to the micro, and says no zero too many", async () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (micros) => {
        const text = formatMicros(micros);
        expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d{0,5}[1-9])?$/);
        const [whole, fraction = ""] = text.replace("-", "").split(".");
        const back = BigInt(whole!) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
        expect(micros < 0n ? -back : back).toBe(micros);
        expect(Number.isNaN(JSON.parse(text))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test("is what a JSON reader takes for the same number of cents", async () => {
    fc.assert(
      fc.property(fc.nat(1e9), (cents) => {
        expect(JSON.parse(formatMicros(BigInt(cents) * 10_000n))).toBe(cents / 100);
      }),
    );
  });
});
