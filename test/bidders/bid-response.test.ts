import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { judgeResponse } from "../../src/bidders/bid-response.ts";

const RULES = { seat: undefined, priceMax: 1_000 };

const judge = (document: unknown, rules: Partial<{ seat: string; priceMax: number }> = {}) =>
  judgeResponse(JSON.stringify(document), "a", { ...RULES, ...rules });

const bid = (price: number, rest: object = {}) => ({ id: "1", impid: "1", price, ...rest });
const seats = (...seatbid: object[]) => ({ id: "a", seatbid });

describe("bid response", () => {
  test("may say more than is read", () => {
    const more = { adm: "<b>", adomain: ["a.test"], ext: { deep: [1] } };
    const document = {
      ...seats({ seat: "s", group: 0, bid: [bid(1, more)] }),
      bidid: "7",
      ext: {},
    };
    expect(judge(document)).toEqual({ kind: "bid", priceMicros: 1_000_000 });
  });

  test("of several bids has the highest valid one", () => {
    const bids = [bid(0.2), bid(-5, { id: "2" }), bid(0.4, { id: "3" }), bid(0.3, { id: "4" })];
    const expected = { kind: "bid", priceMicros: 400_000 } as const;
    expect(judge(seats({ bid: bids }))).toEqual(expected);
    expect(judge(seats(...bids.map((one) => ({ bid: [one] }))))).toEqual(expected);
  });

  test("without a valid bid tells of the first fault", () => {
    const bids = [bid(-5), bid(2_000, { id: "2" })];
    expect(judge(seats({ bid: bids }))).toMatchObject({ reason: "price -5, expected above 0" });
  });

  test("with one id twice is invalid, also over two seats", () => {
    expect(judge(seats({ bid: [bid(1)] }, { bid: [bid(1)] }))).toEqual({
      kind: "invalid",
      code: 3,
      reason: 'two bids with id "1", expected one',
    });
  });

  test("of a seat that is not the entry's is blocked", () => {
    const ours = { seat: "ours" };
    expect(judge(seats({ seat: "ours", bid: [bid(1)] }), ours)).toMatchObject({ kind: "bid" });
    expect(judge(seats({ seat: "other", bid: [bid(1)] }), ours)).toEqual({
      kind: "invalid",
      code: 104,
      reason: 'seat "other", expected "ours"',
    });
    expect(judge(seats({ bid: [bid(1)] }), ours)).toMatchObject({
      code: 104,
      reason: 'seat nothing, expected "ours"',
    });
  });

  test("with seats that bid nothing is a no-bid", () => {
    expect(judge(seats({ bid: [] }, { bid: [] }))).toEqual({ kind: "noBid" });
  });

  test("must have the auction's id when it bids, and must not have another one in any case", () => {
    expect(judge({ seatbid: [{ bid: [bid(1)] }] })).toMatchObject({ kind: "invalid", code: 5 });
    expect(judge({ id: "b", seatbid: [] })).toMatchObject({ kind: "invalid", code: 5 });
    expect(judge({ nbr: 8 })).toEqual({ kind: "noBid", nbr: 8 });
  });

  test.each([
    ["a list", [], "body [], expected object"],
    ["null", null, "body null, expected object"],
    ["a number for its id", { id: 7 }, "id 7, expected string"],
    ["a seatbid that is no list", { id: "a", seatbid: {} }, "seatbid {}, expected array"],
    ["a reason that is text", { id: "a", nbr: "8" }, 'nbr "8", expected integer'],
    [
      "a bid without an impression",
      seats({ bid: [{ id: "1", price: 1 }] }),
      "seatbid/0/bid/0/impid nothing, expected required property",
    ],
  ])("that is or has %s is invalid", (_, document, reason) => {
    expect(judge(document)).toEqual({ kind: "invalid", code: 3, reason });
  });

  test("without a price is told apart: loss reason 9", () => {
    expect(judge(seats({ bid: [{ id: "1", impid: "1" }] }))).toMatchObject({ code: 9 });
    expect(judge(seats({ bid: [bid(null as never)] }))).toMatchObject({ code: 9 });
  });

  test("has a price of at most what is configured, the most included", () => {
    expect(judge(seats({ bid: [bid(4)] }), { priceMax: 4 })).toMatchObject({ kind: "bid" });
    expect(judge(seats({ bid: [bid(4.000001)] }), { priceMax: 4 })).toMatchObject({
      reason: "price 4.000001, expected at most 4",
    });
  });

  test("is never more than one line of printable ASCII when it is refused, and never throws", () => {
    const text = fc.oneof(fc.json(), fc.string({ unit: "binary", maxLength: 300 }));
    const wild = fc.record(
      {
        id: fc.oneof(fc.constant("a"), fc.anything()),
        cur: fc.oneof(fc.string({ unit: "binary" }), fc.anything()),
        seatbid: fc.oneof(
          fc.array(
            fc.record({
              seat: fc.string(),
              bid: fc.array(
                fc.record({
                  id: fc.string(),
                  impid: fc.string({ unit: "binary" }),
                  price: fc.double(),
                }),
              ),
            }),
          ),
          fc.anything(),
        ),
      },
      { requiredKeys: [] },
    );
    const written = fc.oneof(
      text,
      wild.map((document) => JSON.stringify(document) ?? ""),
    );
    fc.assert(
      fc.property(written, (body) => {
        const response = judgeResponse(body, "a", { seat: "s", priceMax: 1_000 });
        if (response.kind === "invalid") expect(response.reason).toMatch(/^[\x20-\x7e]{1,200}$/);
        else expect(["bid", "noBid"]).toContain(response.kind);
        if (response.kind === "bid") expect(response.priceMicros).toBeWithin(1, 1_000_000_001);
      }),
      { numRuns: 1_000 },
    );
  });
});
