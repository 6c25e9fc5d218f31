import { describe, expect, test } from "bun:test";
import { findProblem } from "../../src/sandbox/bid-request.ts";
import { BID_HEADERS, bidRequest } from "../support/bid-requests.ts";

const headerOf = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name];
const problemOf = (body: unknown, headers: Readonly<Record<string, string>> = BID_HEADERS) =>
  findProblem(headerOf(headers), body);

describe("a good request", () => {
  test("has no problem", () => {
    expect(problemOf(bidRequest())).toBeUndefined();
  });

  test("may sell a banner, video, audio or native, of a site, an app or neither", () => {
    const media = [
      { banner: {} },
      { video: { mimes: ["video/mp4"] } },
      { audio: { mimes: ["audio/mp4"] } },
      { native: { request: "{}" } },
    ];
    for (const medium of media) {
      expect(problemOf(bidRequest({ imp: [{ id: "1", ...medium }] }))).toBeUndefined();
    }
    expect(problemOf(bidRequest({ site: undefined, app: { bundle: "a" } }))).toBeUndefined();
    expect(problemOf(bidRequest({ site: undefined, device: undefined }))).toBeUndefined();
  });

  test("may hold fields and values that nobody knows", () => {
    const imp = [{ id: "1", banner: { shape: "round" }, ext: { a: 1 } }];
    expect(problemOf(bidRequest({ imp, at: 501, ext: { b: 2 }, novelty: true }))).toBeUndefined();
  });

  test("may name the charset", () => {
    const headers = { ...BID_HEADERS, "content-type": "application/json; charset=utf-8" };
    expect(problemOf(bidRequest(), headers)).toBeUndefined();
  });
});

describe("a bad request", () => {
  const imp = (changes: Readonly<Record<string, unknown>>) => ({
    imp: [{ id: "1", banner: {}, ...changes }],
  });
  test.each([
    ["/id", { id: undefined }],
    ["/id", { id: "" }],
    ["/id", { id: 7 }],
    ["/imp", { imp: undefined }],
    ["/imp", { imp: [] }],
    ["/imp/0/id", imp({ id: undefined })],
    ["/imp/0/bidfloor", imp({ bidfloor: "0.5" })],
    ["/imp/0/bidfloor", imp({ bidfloor: -1 })],
    ["/imp/0/bidfloorcur", imp({ bidfloorcur: "usd" })],
    ["/imp/0/secure", imp({ secure: true })],
    ["/imp/0/video/mimes", imp({ video: {} })],
    ["/imp/0", imp({ banner: undefined })],
    ["/imp", { imp: [...imp({}).imp, ...imp({}).imp] }],
    ["/", { app: {} }],
    ["/device/geo/country", { device: { geo: { country: "US" } } }],
    ["/at", { at: undefined }],
    ["/at", { at: 0 }],
    ["/cur", { cur: undefined }],
    ["/cur", { cur: [] }],
    ["/tmax", { tmax: undefined }],
    ["/tmax", { tmax: 0 }],
    ["/tmax", { tmax: 99.5 }],
  ])("is told from a good one by its %s: %j", (pointer, changes) => {
    expect(problemOf(bidRequest(changes))).toStartWith(`${pointer}: `);
  });

  test("is what is no object at all", () => {
    for (const body of [undefined, null, [], "text", 1]) expect(problemOf(body)).toBeString();
  });

  test("has another version, or another type of body", () => {
    const { "x-openrtb-version": _, ...unversioned } = BID_HEADERS;
    expect(problemOf(bidRequest(), unversioned)).toStartWith("x-openrtb-version: ");
    const old = { ...BID_HEADERS, "x-openrtb-version": "2.5" };
    expect(problemOf(bidRequest(), old)).toStartWith("x-openrtb-version: ");
    const text = { ...BID_HEADERS, "content-type": "text/plain" };
    expect(problemOf(bidRequest(), text)).toStartWith("content-type: ");
  });
});
