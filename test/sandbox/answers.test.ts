import { describe, expect, test } from "bun:test";
import { compress, createAnswers } from "../../src/sandbox/answers.ts";
import type { Decision } from "../../src/sandbox/decisions.ts";
import { bidRequest } from "../support/bid-requests.ts";

const { write } = createAnswers({ id: "b1", seat: 'seat "7"' });
const REQUEST = bidRequest({ id: 'auction "1"' });

function answerTo(decision: Partial<Decision>) {
  const usual: Decision = { kind: "bid", priceCents: 87, latencyMs: 0, noBidForm: "no_content" };
  return write(REQUEST, { ...usual, ...decision });
}

const bodyOf = (decision: Partial<Decision>) => JSON.parse(answerTo(decision).body as string);
const textOf = (kind: Decision["kind"]) => answerTo({ kind }).body as string;

describe("a bid", () => {
  test("names the auction, the impression and the seat, in whole cents of USD", () => {
    const { status, headers } = answerTo({});
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("x-openrtb-version")).toBe("2.6");
    const bid = { id: expect.any(String), impid: "1", price: 0.87 };
    expect(bodyOf({})).toEqual({
      id: 'auction "1"',
      cur: "USD",
      seatbid: [{ seat: 'seat "7"', bid: [expect.objectContaining(bid)] }],
    });
  });

  test("writes every price of whole cents exactly", () => {
    for (let priceCents = 1; priceCents <= 1_000; priceCents++) {
      const { price } = bodyOf({ priceCents }).seatbid[0].bid[0];
      expect(price).toBe(Number((priceCents / 100).toFixed(2)));
      expect(answerTo({ priceCents }).body).toMatch(/"price":\d+(\.\d\d?)?,/);
    }
  });

  test("has an id that no other has", () => {
    const ids = Array.from({ length: 50 }, () => bodyOf({}).seatbid[0].bid[0].id);
    expect(new Set(ids).size).toBe(50);
  });

  test("is the same in fewer bytes when compressed", () => {
    const plain = answerTo({});
    const { status, headers, body } = compress(plain);
    expect(status).toBe(200);
    expect(headers.get("content-encoding")).toBe("gzip");
    const unpacked = Bun.gunzipSync(body as Uint8Array<ArrayBuffer>);
    expect(new TextDecoder().decode(unpacked)).toBe(plain.body as string);
  });
});

describe("a no-bid", () => {
  test("has five legal forms", () => {
    const declined = (noBidForm: Decision["noBidForm"]) => answerTo({ kind: "no_bid", noBidForm });
    const json = (noBidForm: Decision["noBidForm"]) => {
      expect(declined(noBidForm).status).toBe(200);
      return JSON.parse(declined(noBidForm).body as string);
    };
    expect(declined("no_content")).toMatchObject({ status: 204, body: null });
    expect(json("empty_object")).toEqual({});
    expect(json("empty_seatbid")).toEqual({ id: REQUEST.id, seatbid: [] });
    expect(json("empty_seatbid_nbr")).toEqual({ id: REQUEST.id, seatbid: [], nbr: 8 });
    expect(json("nbr")).toEqual({ id: REQUEST.id, nbr: 8 });
  });

  test("is not compressed when it has no body", () => {
    const plain = answerTo({ kind: "no_bid" });
    expect(compress(plain)).toBe(plain);
  });
});

describe("a lie", () => {
  const bidIn = (kind: Decision["kind"]) => bodyOf({ kind }).seatbid[0].bid[0];

  test.each([
    ["wrong_id", { id: 'not-auction "1"' }],
    ["foreign_currency", { cur: "EUR" }],
  ] as const)("%s is a good bid but for %j", (kind, difference) => {
    const changed = bodyOf({ kind });
    expect(changed).toMatchObject({ ...bodyOf({}), ...difference, seatbid: [{ bid: [{}] }] });
  });

  test("wrong_impid and wrong_seat name what was not sold and who does not sell", () => {
    expect(bidIn("wrong_impid").impid).toBe("not-1");
    expect(bodyOf({ kind: "wrong_seat" }).seatbid[0].seat).toBe('not-seat "7"');
  });

  test("about the price is negative, text, too much or beyond all numbers", () => {
    expect(bidIn("negative_price").price).toBe(-0.87);
    expect(bidIn("string_price").price).toBe("0.87");
    expect(bidIn("excessive_price").price).toBe(1_000_000);
    expect(textOf("infinite_price")).toContain('"price":1e309,');
    expect(textOf("nan_price")).toContain('"price":NaN,');
  });

  test("two_bids is the same bid twice under one id", () => {
    const { bid } = bodyOf({ kind: "two_bids" }).seatbid[0];
    expect(bid).toHaveLength(2);
    expect(bid[0]).toEqual(bid[1]);
  });

  test("malformed_json and nan_price are not JSON", () => {
    for (const kind of ["malformed_json", "nan_price"] as const) {
      expect(() => JSON.parse(textOf(kind))).toThrow();
    }
  });

  test("server_error and redirect are statuses", () => {
    expect(answerTo({ kind: "server_error" }).status).toBe(503);
    const { status, headers } = answerTo({ kind: "redirect" });
    expect([status, headers.get("location")]).toEqual([302, "/redirected"]);
  });
});
