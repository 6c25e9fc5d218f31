/** Names of a supply's counters, the same in every store. */
export const TOTAL = "total_reqs";
export const countryField = (country: string) => `country:${country}`;

/** What is counted for each bidder of a supply. Revenue is in micros, whole. */
export type BidderCounter =
  | "wins"
  | "revenue_micros"
  | "no_bids"
  | "timeouts"
  | "errors"
  | "invalid"
  | "bids";
export const bidderField = (bidderId: string, counter: BidderCounter) =>
  `bidder:${bidderId}:${counter}`;

/** How many of a producer's auctions the counters beside it contain. */
export const offsetField = (producer: string) => `offset:${producer}`;

export type ParsedField =
  | { kind: "total" }
  | { kind: "country"; country: string }
  | { kind: "bidder"; bidderId: string; counter: string };

/** The meaning of a field, or undefined for offsets and for what a newer version wrote. */
export function parseField(field: string): ParsedField | undefined {
  if (field === TOTAL) return { kind: "total" };
  if (field.startsWith("country:")) return { kind: "country", country: field.slice(8) };
  if (!field.startsWith("bidder:")) return undefined;
  const end = field.lastIndexOf(":"); // An id may hold colons, a counter's name does not.
  return { kind: "bidder", bidderId: field.slice(7, end), counter: field.slice(end + 1) };
}
