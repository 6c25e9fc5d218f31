import { COUNTRY_COUNT } from "../catalog/country.ts";
import type { NamedSupply, Names } from "./names.ts";

/** Words of a record before the states of its bidders. */
export const RECORD_FIXED_WORDS = 5;
export const STATES_PER_WORD = 10;
/** Of a supply; above it in its word is what 32 bits of an ordinal do not hold, up to 2^44. */
export const NUMBER_BITS = 20;

/** One record while it is visited; the object is reused for the next one. */
export interface JournalRecord {
  supply: NamedSupply;
  ordinal: number;
  /** Low 12 bits of the version of the catalog that the auction was held with. */
  catalogVersion: number;
  /** Place of `countryNumber`. */
  country: number;
  /** Place among the supply's bidders, or -1. */
  winner: number;
  clearingPriceMicros: number;
  /** States of ten bidders, the one at this place in the lowest three bits; a multiple of ten. */
  statesFrom(place: number): number;
}

/** Visits whole records in order. Stops at one that is torn. @returns where it stopped */
export type Scan = (from: number, to: number, visit: (record: JournalRecord) => void) => number;

/**
 * Makes `scan` over some words.
 * @param at  where the word of a position is
 */
export function createScan(
  words: Int32Array,
  at: (position: number) => number,
  names: Names,
): Scan {
  const record: JournalRecord & { position: number } = {
    position: 0,
    supply: { number: 0, supplyId: "", bidderIds: [], recorded: { count: 0 } },
    ordinal: 0,
    catalogVersion: 0,
    country: 0,
    winner: -1,
    clearingPriceMicros: 0,
    statesFrom: (place) =>
      words[at(record.position + RECORD_FIXED_WORDS + place / STATES_PER_WORD)]!,
  };

  return (from, to, visit) => {
    let position = from;
    while (position < to) {
      const stamp = words[at(position)]!;
      const length = stamp & 0xff;
      const isWhole =
        stamp >>> 8 === (position & 0xffffff) &&
        length >= RECORD_FIXED_WORDS &&
        position + length <= to;
      if (!isWhole) return position;
      const named = words[at(position + 1)]!;
      const supply = names.at(named & (2 ** NUMBER_BITS - 1));
      const country = words[at(position + 3)]! & 0x3ff;
      if (supply === undefined || country >= COUNTRY_COUNT) return position;
      record.position = position;
      record.supply = supply;
      record.ordinal = (named >>> NUMBER_BITS) * 2 ** 32 + (words[at(position + 2)]! >>> 0);
      record.country = country;
      record.winner = ((words[at(position + 3)]! >>> 10) & 0x3ff) - 1;
      record.catalogVersion = words[at(position + 3)]! >>> 20;
      record.clearingPriceMicros = words[at(position + 4)]! >>> 0;
      visit(record);
      position += length;
    }
    return position;
  };
}
