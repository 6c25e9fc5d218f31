import ipaddr from "ipaddr.js";
import { iso31661Alpha2ToAlpha3 } from "iso-3166/1-a2-to-1-a3.js";
import type { BidRequest, Device } from "../auction/bidder.ts";
import { MICROS } from "../auction/clearing.ts";
import type { Supply } from "../catalog/catalog.ts";
import { IMP_ID } from "./bid-response.ts";

/** Longer ones are cut: no browser has one. */
const USER_AGENT_LENGTH_MAX = 1_024;

/** How much of a device's address bidders get: see `shownAddress`. */
export type DeviceIp = "truncated" | "full";

/** Writes the body of an auction's bid requests: OpenRTB 2.6 (3.2), in ASCII. */
export interface BidRequestWriter {
  /** @param tmaxMs  what the bidder has, whole milliseconds: all that differs between bidders */
  write(request: BidRequest, tmaxMs: number): string;
}

export function createBidRequestWriter(deviceIp: DeviceIp): BidRequestWriter {
  /** A snapshot's supplies are written once; they go with it. */
  const ofSupply = new WeakMap<Supply, string>();
  // An auction asks its bidders one after the other, so that the last body is the one to keep.
  let last: BidRequest | undefined;
  let shared = "";

  function write(request: BidRequest, tmaxMs: number): string {
    if (request !== last) {
      shared = writeShared(request);
      last = request;
    }
    return `${shared}${tmaxMs}}`;
  }

  function writeShared(request: BidRequest): string {
    const { auctionId, supply, country } = request;
    let supplyPart = ofSupply.get(supply);
    if (supplyPart === undefined) {
      supplyPart = writeSupply(supply);
      ofSupply.set(supply, supplyPart);
    }
    const device = writeDevice(request.device(), country, deviceIp);
    return `{"id":${ascii(auctionId)},${supplyPart},"device":${device},"tmax":`;
  }

  return { write };
}

/** The fields that an auction takes from its supply, without the braces around them. */
function writeSupply(supply: Supply): string {
  const { imp, domain, app } = supply.placement;
  const impression = {
    id: IMP_ID,
    tagid: supply.id,
    ...(imp ?? { banner: {} }), // An impression has one of them; sizes that are away are unknown.
    bidfloor: supply.floorMicros / MICROS,
    bidfloorcur: "USD",
    secure: 1,
  };
  const inventory = app ? { app } : { site: domain === undefined ? {} : { domain } };
  const at = supply.auction === "second_price" ? 2 : 1;
  return ascii({ imp: [impression], ...inventory, at, cur: ["USD"] }).slice(1, -1);
}

function writeDevice({ ip, userAgent }: Device, country: string, deviceIp: DeviceIp): string {
  const shown = ip === undefined ? undefined : shownAddress(ip, deviceIp);
  // A code that is not assigned says nothing: without it the country is unknown.
  const alpha3 = iso31661Alpha2ToAlpha3[country];
  return ascii({
    ...(shown !== undefined && { [shown.includes(":") ? "ipv6" : "ip"]: shown }),
    ...(userAgent && { ua: userAgent.slice(0, USER_AGENT_LENGTH_MAX) }),
    ...(alpha3 !== undefined && { geo: { country: alpha3 } }),
  });
}

/** Truncated: the last 8 bits of IPv4 and the last 80 of IPv6 are 0, so that it is no person's. */
function shownAddress(ip: string, deviceIp: DeviceIp): string {
  if (deviceIp === "full") return ip;
  if (!ip.includes(":")) return ip.replace(/\d+$/, "0");
  const parts = ipaddr.IPv6.parse(ip.replace(/%.*$/, "")).parts.slice(0, 3);
  return new ipaddr.IPv6([...parts, 0, 0, 0, 0, 0]).toString();
}

/** JSON whose characters are its bytes, so that its length is the body's. */
const ascii = (value: unknown) =>
  JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
