import type { Catalog, CatalogBidder } from "../catalog/catalog.ts";
import { type BidderCounter, parseField } from "../store/counters.ts";
import { CounterError, type Counters } from "../store/store.ts";

/** Written in one turn of the event loop, some 10 ms: bids go on between two of them. */
const SUPPLIES_PER_TURN = 200;

/** A supply's counters by meaning, as decimal digits. */
interface SupplyCounters {
  total: string;
  countries: Map<string, string>;
  bidders: Map<string, Map<string, string>>;
}

/**
 * The body of GET /stat. Written by hand, because a counter may be larger than a number holds.
 * Supplies and bidders of the catalog come first, in its order; those that only were counted
 * follow by name.
 */
export async function writeReport(
  catalog: Catalog,
  counted: ReadonlyMap<string, Counters>,
  onlySupplyId?: string,
): Promise<string> {
  const left = [...counted.keys()].filter((id) => !catalog.supplies.has(id)).sort();
  const ids = onlySupplyId === undefined ? [...catalog.supplies.keys(), ...left] : [onlySupplyId];
  const supplies: string[] = [];
  for (const [i, id] of ids.entries()) {
    if (i % SUPPLIES_PER_TURN === SUPPLIES_PER_TURN - 1) await new Promise(setImmediate);
    const counters = parseCounters(counted.get(id));
    const known = catalog.supplies.get(id);
    // Counters that hold nothing but a producer's offset belong to no auction.
    if (!known && counters.total === "0") continue;
    supplies.push(`${JSON.stringify(id)}:${writeSupply(known?.bidders ?? [], counters)}`);
  }
  return `{${supplies.join(",")}}`;
}

function parseCounters(fields: Counters | undefined): SupplyCounters {
  const counters: SupplyCounters = { total: "0", countries: new Map(), bidders: new Map() };
  for (const [field, value] of fields ?? []) {
    const parsed = parseField(field);
    if (parsed && !/^-?\d+$/.test(value)) throw new CounterError(`${field} holds no number`);
    if (parsed?.kind === "total") counters.total = value;
    else if (parsed?.kind === "country") counters.countries.set(parsed.country, value);
    else if (parsed?.kind === "bidder") {
      const own = counters.bidders.get(parsed.bidderId) ?? new Map<string, string>();
      counters.bidders.set(parsed.bidderId, own.set(parsed.counter, value));
    }
  }
  return counters;
}

function writeSupply(bidders: readonly CatalogBidder[], counters: SupplyCounters): string {
  const known = bidders.map((bidder) => bidder.id);
  const left = [...counters.bidders.keys()].filter((id) => !known.includes(id)).sort();
  const countries = [...counters.countries].sort(([a], [b]) => (a < b ? -1 : 1));
  const perCountry = countries.map(([country, count]) => `${JSON.stringify(country)}:${count}`);
  const perBidder = [...known, ...left].map((id) => {
    const own = counters.bidders.get(id);
    const count = (counter: BidderCounter) => own?.get(counter) ?? "0";
    const revenue = formatMicros(BigInt(count("revenue_micros")));
    return (
      `${JSON.stringify(id)}:{"wins":${count("wins")},"total_revenue":${revenue},` +
      `"no_bids":${count("no_bids")},"timeouts":${count("timeouts")},` +
      `"errors":${count("errors")},"invalid":${count("invalid")},"bids":${count("bids")}}`
    );
  });
  return (
    `{"total_reqs":${counters.total},"reqs_per_country":{${perCountry.join(",")}},` +
    `"bidders":{${perBidder.join(",")}}}`
  );
}

/** Micros as a JSON number, exact, without zeros that say nothing. */
export function formatMicros(micros: bigint): string {
  const sign = micros < 0n ? "-" : "";
  const digits = (micros < 0n ? -micros : micros).toString().padStart(7, "0");
  const fraction = digits.slice(-6).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -6)}${fraction === "" ? "" : `.${fraction}`}`;
}
