import type { Client, Request } from "autocannon";
import { type BenchCatalog, spreadSupplyId } from "./catalogs.ts";

/** Replaced in place: every address has the same length. */
const ADDRESS = "100.100.100.100";
/** Prime, so that its multiples run through all supplies, far apart from one to the next. */
const SUPPLY_STEP = 7_919;

export interface TrafficOptions {
  catalog: BenchCatalog;
  /** Each request from an address never seen before, or all from one. */
  clients: "distinct" | "one";
  /** Sent with each request; none: the service's own. */
  tmaxMs?: number | undefined;
}

/** One request as it is built beforehand. */
export interface RequestTemplate {
  readonly method: "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What is sent to one target. Addresses go on from one run to the next. */
export interface Traffic {
  readonly templates: readonly RequestTemplate[];
  /** The address that is to be replaced; none: all are one client. */
  readonly address: string | undefined;
  /** The supply that is to be replaced, and how many there are. */
  readonly supply:
    | { readonly id: string; readonly count: number; readonly step: number }
    | undefined;
  /** Numbers for `count` more requests: the first of them. */
  take(count: number): number;
}

/** Bids on every offer of the catalog, another one on each connection. */
export function createTraffic({ catalog, clients, tmaxMs }: TrafficOptions): Traffic {
  const { suppliesSpread } = catalog;
  const supply = suppliesSpread
    ? { id: spreadSupplyId(0), count: suppliesSpread, step: SUPPLY_STEP }
    : undefined;
  let taken = 0;
  return {
    templates: catalog.offers.map(({ supplyId, country }) => ({
      method: "POST",
      path: "/bid",
      headers: {
        "content-type": "application/json",
        "x-country": country,
        "x-forwarded-for": ADDRESS,
      },
      body: JSON.stringify({ supply_id: supply?.id ?? supplyId, ...(tmaxMs && { tmax: tmaxMs }) }),
    })),
    address: clients === "distinct" ? ADDRESS : undefined,
    supply,
    take(count) {
      taken += count;
      return taken - count;
    },
  };
}

/**
 * Prepares the connections of one run. A request is built once for its connection; from one to the
 * next only digits change, in the built bytes: building it anew costs autocannon 4 µs.
 */
export function prepareClients(traffic: Traffic): (client: Client) => void {
  const { templates, address, supply } = traffic;
  let connections = 0;
  return (client) => {
    // autocannon keeps the bytes that it writes in the request that it was given.
    const request: Request & { requestBuffer?: Buffer } = {
      ...templates[connections++ % templates.length]!,
    };
    client.setRequests([request]);
    if (!address) return;
    const bytes = request.requestBuffer!;
    const addressAt = bytes.indexOf(address);
    const digitsAt = supply ? bytes.indexOf(supply.id) + 1 : 0;
    // Before each write; the one before has been answered, so nobody else reads these bytes.
    (client as NodeJS.EventEmitter).on("request", () => {
      const index = traffic.take(1);
      writeAddress(bytes, addressAt, index);
      if (supply) writeDigits(bytes, digitsAt, (index * supply.step) % supply.count);
    });
  };
}

/** 100 million addresses, from 100.100.100.100 to 199.199.199.199. */
function writeAddress(bytes: Buffer, at: number, index: number): void {
  let rest = index;
  for (let octet = 3; octet >= 0; octet--) {
    const place = at + octet * 4;
    bytes[place + 2] = 48 + (rest % 10);
    bytes[place + 1] = 48 + (Math.floor(rest / 10) % 10);
    rest = Math.floor(rest / 100);
  }
}

function writeDigits(bytes: Buffer, at: number, value: number): void {
  let rest = value;
  for (let place = at + 5; place >= at; place--) {
    bytes[place] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
