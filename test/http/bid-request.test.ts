import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createBidReader } from "../../src/http/bid-request.ts";
import { problem } from "../../src/http/problem.ts";

const JSON_TYPE = { "content-type": "application/json", "x-country": "US" };
const readBid = createBidReader(5_000);
const read = (request: Request) => readBid(request, (result) => result);

/** What the reader makes of a raw body. */
const readRaw = (body: string, headers: Record<string, string> = JSON_TYPE) =>
  read(new Request("http://x/bid", { method: "POST", headers, body }));
const readJson = (body: unknown, headers?: Record<string, string>) =>
  readRaw(JSON.stringify(body), headers);

/** Pointers of the rules that a request breaks. */
async function pointersOf(body: unknown, headers?: Record<string, string>) {
  const result = await readJson(body, headers);
  return "code" in result ? result.violations?.map(({ pointer }) => pointer) : "accepted";
}

describe("bid request", () => {
  test("is accepted with supply and country alone, the country in upper case", async () => {
    const headers = { ...JSON_TYPE, "x-country": "gB" };
    expect(await readJson({ supply_id: "supply1" }, headers)).toEqual({
      body: { supply_id: "supply1" },
      country: "GB",
    });
  });

  test.each([1, 100, 5_000])("is accepted with a tmax of %p", async (tmax) => {
    expect(await readJson({ supply_id: "s", tmax })).toMatchObject({ body: { tmax } });
  });

  test("ignores fields that it does not know, whatever they are called", async () => {
    const raw = '{"supply_id": "s", "floor": 1, "__proto__": {"tmax": "x"}, "constructor": []}';
    const result = await readRaw(raw);
    expect(result).toMatchObject({ body: { supply_id: "s" }, country: "US" });
    expect("body" in result && result.body.tmax).toBeUndefined();
  });

  test("does not take its fields from a __proto__ of the body", async () => {
    const raw = '{"__proto__": {"supply_id": "s"}}';
    expect(await readRaw(raw)).toMatchObject({ code: "invalid_request" });
  });

  test.each(["application/json", "text/plain"])(
    "of %s rejects with what its answer throws",
    async (type) => {
      const fault = new Error("a fault of ours");
      const headers = { ...JSON_TYPE, "content-type": type };
      const request = new Request("http://x/bid", { method: "POST", headers, body: "{}" });
      const answered = readBid(request, () => {
        throw fault;
      });
      await expect(answered).rejects.toBe(fault);
    },
  );

  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "APPLICATION/JSON",
    "application/json ; charset=utf-8",
  ])("is accepted as %p", async (type) => {
    const headers = { "content-type": type, "x-country": "US" };
    expect(await readJson({ supply_id: "s" }, headers)).toHaveProperty("body");
  });

  test.each([
    "",
    "text/plain",
    "application/jsonp",
    "application/json-patch+json",
    "application/problem+json",
    "text/plain; application/json",
    "application/json, text/plain",
    "xapplication/json",
  ])("is refused as %p before anything else is looked at", async (type) => {
    const result = await readRaw("not JSON", { "content-type": type });
    expect(result).toMatchObject({ code: "unsupported_media_type" });
  });

  test("is refused without a content type", async () => {
    const body = new TextEncoder().encode("{}");
    const result = await read(new Request("http://x/bid", { method: "POST", body }));
    expect(result).toMatchObject({ code: "unsupported_media_type" });
  });

  test.each(["", " ", "{", "{'supply_id': 's'}", "{}{}", "undefined", "NaN", "[".repeat(16_000)])(
    "is not JSON: %p, which is said before the country is looked at",
    async (raw) => {
      const result = await readRaw(raw, { "content-type": "application/json" });
      expect(result).toMatchObject({ code: "malformed_json" });
    },
  );

  test.each([
    [{}, ["#/supply_id"]],
    [{ supply_id: null }, ["#/supply_id"]],
    [{ supply_id: "" }, ["#/supply_id"]],
    [{ supply_id: "x".repeat(65) }, ["#/supply_id"]],
    [{ supply_id: ["s"] }, ["#/supply_id"]],
    [{ supply_id: 1, tmax: 0 }, ["#/supply_id", "#/tmax"]],
    [{ supply_id: "s", tmax: "100" }, ["#/tmax"]],
    [{ supply_id: "s", tmax: 1.5 }, ["#/tmax"]],
    [{ supply_id: "s", tmax: -1 }, ["#/tmax"]],
    [{ supply_id: "s", tmax: 5_001 }, ["#/tmax"]],
    [{ supply_id: "s", tmax: null }, ["#/tmax"]],
    [{ supply_id: "s", tmax: true }, ["#/tmax"]],
    [[], ["#"]],
    [null, ["#"]],
    ["text", ["#"]],
    [5, ["#"]],
  ])("%j breaks the rules at %j", async (body, pointers) => {
    expect(await pointersOf(body)).toEqual(pointers);
  });

  test.each(["", "U", "USA", "U1", "1", "U-", "US,GB", "ÜS", "*"])(
    "is refused for the country %p",
    async (country) => {
      const headers = { ...JSON_TYPE, "x-country": country };
      expect(await pointersOf({ supply_id: "s" }, headers)).toEqual(["#/headers/x-country"]);
    },
  );

  test("names every rule that is broken, in body and header together", async () => {
    const headers = { "content-type": "application/json" };
    expect(await readJson({ supply_id: "", tmax: 0 }, headers)).toEqual({
      code: "invalid_request",
      detail: "See errors for each rule.",
      violations: [
        { pointer: "#/supply_id", detail: "expected a string of 1 to 64 characters" },
        {
          pointer: "#/tmax",
          detail: "expected a whole number of milliseconds from 1 to 5000",
        },
        {
          pointer: "#/headers/x-country",
          detail: "expected two letters, ISO 3166-1 alpha-2",
        },
      ],
    });
  });

  test("names the most that tmax may be as configured", async () => {
    const body = JSON.stringify({ supply_id: "s", tmax: 71 });
    const request = new Request("http://x", { method: "POST", headers: JSON_TYPE, body });
    const result = await createBidReader(70)(request, (read) => read);
    expect(result).toMatchObject({
      violations: [{ detail: "expected a whole number of milliseconds from 1 to 70" }],
    });
  });

  test("is answered with at most 2 KiB that echo nothing, whatever is sent", async () => {
    const secret = "s3cr3t-value-of-the-caller";
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constant(secret),
      fc.constant({ [secret]: [secret] }),
    );
    const body = fc.oneof(value, fc.record({ supply_id: value, tmax: value, [secret]: value }));
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const result = await readJson(sent, { ...JSON_TYPE, "x-country": secret });
        if (!("code" in result)) throw new Error("accepted a bad country");
        const { code, ...options } = result;
        const answer = await problem(code, { requestId: "x".repeat(64), ...options }).text();
        expect(Buffer.byteLength(answer)).toBeLessThanOrEqual(2_048);
        expect(answer).not.toContain(secret);
      }),
    );
  });

  test("is accepted exactly when the rules of the contract say so", async () => {
    const body = fc.record(
      {
        supply_id: fc.oneof(fc.string({ maxLength: 70 }), fc.integer()),
        tmax: fc.oneof(fc.integer({ min: -5, max: 5_005 }), fc.double(), fc.string()),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const wire = JSON.parse(JSON.stringify(sent));
        const { supply_id: supplyId, tmax } = wire;
        const isSupplyGood =
          typeof supplyId === "string" && supplyId.length >= 1 && supplyId.length <= 64;
        const isTmaxGood =
          !("tmax" in wire) || (Number.isInteger(tmax) && tmax >= 1 && tmax <= 5_000);
        expect("body" in (await readJson(wire))).toBe(isSupplyGood && isTmaxGood);
      }),
    );
  });
});
