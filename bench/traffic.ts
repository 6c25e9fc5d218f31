import type { Client, Request } from "autocannon";

/** Replaced in place: every address has the same length. */
const ADDRESS = "100.100.100.100";

/** What is sent: prepares the connections of one run. */
export type Traffic = (client: Client) => void;

interface CatalogFile {
  supplies: Record<string, string[]>;
  bidders: Record<string, { country: string }>;
}

/**
 * Bids on every supply for each country that it has bidders for, another one on each connection.
 *
 * A request is built once for its connection. For distinct clients only the digits of the address
 * change from one to the next, in the built bytes: building it anew costs autocannon 4 µs.
 */
export function createTraffic(catalog: CatalogFile, clients: "distinct" | "one"): Traffic {
  const offers = Object.entries(catalog.supplies).flatMap(([supplyId, bidders]) => {
    const countries = new Set(bidders.map((bidder) => catalog.bidders[bidder]!.country));
    return [...countries].map((country) => ({ supplyId, country }));
  });
  let connections = 0;
  let sent = 0;

  return (client) => {
    const { supplyId, country } = offers[connections++ % offers.length]!;
    // autocannon keeps the bytes that it writes in the request that it was given.
    const request: Request & { requestBuffer?: Buffer } = {
      method: "POST",
      path: "/bid",
      headers: {
        "content-type": "application/json",
        "x-country": country,
        "x-forwarded-for": ADDRESS,
      },
      body: JSON.stringify({ supply_id: supplyId }),
    };
    client.setRequests([request]);
    if (clients === "one") return;
    const bytes = request.requestBuffer!;
    const at = bytes.indexOf(ADDRESS);
    // Before each write; the one before has been answered, so nobody else reads these bytes.
    (client as NodeJS.EventEmitter).on("request", () => writeAddress(bytes, at, sent++));
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
