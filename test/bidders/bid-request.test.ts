import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BidRequest, Device } from "../../src/auction/bidder.ts";
import { createBidRequestWriter } from "../../src/bidders/bid-request.ts";
import type { SupplyDocument } from "../../src/catalog/document.ts";
import { bidRequestOf, supplyWith } from "../support/auctions.ts";

const NOBODY: Device = { ip: undefined, userAgent: undefined };

interface Given {
  supply?: Omit<SupplyDocument, "bidders">;
  device?: Device;
  country?: string;
  deviceIp?: "truncated" | "full";
}

const requestOf = ({ supply = {}, device = NOBODY, country = "US" }: Given): BidRequest =>
  bidRequestOf(supplyWith({ b: { country: "US" } }, supply), { country, device: () => device });

const written = (given: Given = {}) =>
  JSON.parse(createBidRequestWriter(given.deviceIp ?? "truncated").write(requestOf(given), 97));

const shownIp = (ip: string, deviceIp: "truncated" | "full" = "truncated") =>
  written({ device: { ip, userAgent: undefined }, deviceIp }).device;

describe("bid request", () => {
  test("has everything of OpenRTB 2.6 that a supply says nothing about", () => {
    expect(written()).toEqual({
      id: "auction-1",
      imp: [{ id: "1", tagid: "s", banner: {}, bidfloor: 0, bidfloorcur: "USD", secure: 1 }],
      site: {},
      at: 1,
      cur: ["USD"],
      device: { geo: { country: "USA" } },
      tmax: 97,
    });
  });

  test("has the floor, the kind of auction and the site of its supply", () => {
    expect(
      written({ supply: { floor: 0.07, auction: "second_price", domain: "example.com" } }),
    ).toMatchObject({ imp: [{ bidfloor: 0.07 }], at: 2, site: { domain: "example.com" } });
  });

  test("has the app instead of a site", () => {
    const app = { bundle: "com.example", name: "Exämple", storeurl: "https://store.test/1" };
    const document = written({ supply: { app } });
    expect(document.app).toEqual(app);
    expect(document.site).toBeUndefined();
  });

  test("has the banner, the video or the native request of its supply", () => {
    const imp: NonNullable<SupplyDocument["imp"]> = {
      video: { mimes: ["video/mp4"], w: 640, h: 480, protocols: [2, 3] },
      native: { request: '{"ver":"1.2"}', ver: "1.2" },
    };
    const [impression] = written({ supply: { imp } }).imp;
    expect(impression).toMatchObject(imp);
    expect(impression.banner).toBeUndefined();
    const banner = { format: [{ w: 300, h: 250 }] };
    expect(written({ supply: { imp: { banner } } }).imp[0].banner).toEqual(banner);
  });

  test.each([
    ["GB", "GBR"],
    ["DE", "DEU"],
    ["CH", "CHE"],
    ["TW", "TWN"],
  ])("knows %s as %s", (country, alpha3) => {
    expect(written({ country }).device.geo).toEqual({ country: alpha3 });
  });

  test.each(["ZZ", "AA", "UK", "EU"])("leaves out %s, which is no assigned country", (country) => {
    expect(written({ country }).device.geo).toBeUndefined();
  });

  test("has the user agent, of which a long one is cut", () => {
    const userAgent = "x".repeat(2_000);
    expect(written({ device: { ip: undefined, userAgent } }).device.ua.length).toBe(1_024);
    expect(written({ device: { ip: undefined, userAgent: "" } }).device.ua).toBeUndefined();
  });

  test("has the first 24 bits of an IPv4 address and 48 of an IPv6 one, or all of it", () => {
    expect(shownIp("192.0.2.199")).toMatchObject({ ip: "192.0.2.0" });
    expect(shownIp("192.0.2.199", "full")).toMatchObject({ ip: "192.0.2.199" });
    expect(shownIp("2001:db8:1:2:3:4:5:6")).toMatchObject({ ipv6: "2001:db8:1::" });
    expect(shownIp("::1")).toMatchObject({ ipv6: "::" });
    expect(shownIp("2001:db8::7", "full")).toMatchObject({ ipv6: "2001:db8::7" });
    expect(shownIp("192.0.2.199").ipv6).toBeUndefined();
  });

  test("is written once for all bidders of an auction, but for what each of them has left", () => {
    let reads = 0;
    const request = bidRequestOf(supplyWith({ b: { country: "US" } }), {
      device: () => {
        reads++;
        return NOBODY;
      },
    });
    const writer = createBidRequestWriter("truncated");
    const times = [97, 50, 1].map((tmax) => JSON.parse(writer.write(request, tmax)).tmax);
    expect(times).toEqual([97, 50, 1]);
    expect(reads).toBe(1);
  });

  test("never mixes auctions up", () => {
    const writer = createBidRequestWriter("truncated");
    const [one, other] = ["one", "other"].map((auctionId) => ({ ...requestOf({}), auctionId }));
    const ids = [one!, other!, one!].map((request) => JSON.parse(writer.write(request, 1)).id);
    expect(ids).toEqual(["one", "other", "one"]);
  });

  test("is ASCII whatever is in it, so that its length is its bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
        const request = requestOf({
          supply: { domain: text },
          device: { ip: undefined, userAgent: text },
        });
        const body = createBidRequestWriter("full").write(request, 5);
        expect(body).toMatch(/^[\x20-\x7e]+$/);
        expect(JSON.parse(body)).toMatchObject({ site: { domain: text }, device: { ua: text } });
      }),
    );
  });
});
