import { expect } from "bun:test";
import { type Bid, type LedgerEntry, type Stat, totalsOf } from "./ledger.ts";

const CENT_MICROS = 10_000;
/** What a simulated bidder bids at most, cents. */
const BID_CENTS_MAX = 100;
/** Statuses of an exchange without a fault of its own; a 500 is always one. */
const STATUSES = [200, 400, 429, 503];

/** What clients saw, beside what GET /stat says. */
export interface Figures {
  readonly answered: number;
  readonly unknown: number;
  readonly counted: number;
  /** Counted beyond what was answered: at most `unknown`. */
  readonly difference: number;
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

/**
 * Every answered auction is counted once, and nothing but unknown ones beyond them: by supply, by
 * country, by winner, and in money to the cent.
 */
export function expectCountedOnce(
  stat: Stat,
  load: { readonly answered: readonly LedgerEntry[]; readonly unknown: readonly Bid[] },
): Figures {
  const statuses = new Set(load.answered.map(({ status }) => status));
  expect([...statuses].filter((status) => !STATUSES.includes(status))).toEqual([]);
  const answered = totalsOf(load.answered);
  const unknownOf = (supplyId: string, country: string) =>
    load.unknown.filter((bid) => bid.supplyId === supplyId && bid.country === country).length;

  for (const [supplyId, { total_reqs, reqs_per_country, bidders }] of Object.entries(stat)) {
    const seen = answered[supplyId];
    const where = (what: string) => `${what} of ${supplyId}`;
    expect(sum(Object.values(reqs_per_country)), where("countries")).toBe(total_reqs);
    const countries = new Set([
      ...Object.keys(reqs_per_country),
      ...Object.keys(seen?.countries ?? {}),
    ]);
    for (const country of countries) {
      const more = (reqs_per_country[country] ?? 0) - (seen?.countries[country] ?? 0);
      expectWithin(more, 0, unknownOf(supplyId, country), where(country));
    }
    const wins = sum(Object.values(bidders).map((bidder) => bidder.wins));
    expect(wins, where("wins")).toBeLessThanOrEqual(total_reqs);
    const moreAuctions = total_reqs - (seen?.total ?? 0);
    for (const [id, bidder] of Object.entries(bidders)) {
      const moreWins = bidder.wins - (seen?.wins[id] ?? 0);
      expectWithin(moreWins, 0, moreAuctions, where(`wins of ${id}`));
      const micros = Math.round(bidder.total_revenue * 1_000_000) - (seen?.revenueMicros[id] ?? 0);
      expect(micros % CENT_MICROS, where(`revenue of ${id}`)).toBe(0);
      const cents = micros / CENT_MICROS;
      expectWithin(cents, moreWins, moreWins * BID_CENTS_MAX, where(`revenue of ${id}`));
    }
  }
  const held = sum(Object.values(answered).map(({ total }) => total));
  const counted = auctionsOf(stat);
  const difference = counted - held;
  expectWithin(difference, 0, load.unknown.length, "auctions");
  return { answered: held, unknown: load.unknown.length, counted, difference };
}

/** Auctions that GET /stat has counted. */
export const auctionsOf = (stat: Stat) =>
  sum(Object.values(stat).map(({ total_reqs }) => total_reqs));

/** Auctions among the answers, which GET /stat must have counted. */
export const heldOf = (answered: readonly LedgerEntry[]) =>
  sum(Object.values(totalsOf(answered)).map(({ total }) => total));

function expectWithin(value: number, least: number, most: number, what: string): void {
  expect(value, what).toBeGreaterThanOrEqual(least);
  expect(value, what).toBeLessThanOrEqual(most);
}
