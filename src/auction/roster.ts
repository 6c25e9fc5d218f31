import { buildCatalog, type Catalog, type CatalogDocument } from "../catalog/catalog.ts";
import type { Bidder } from "./bidder.ts";

/** The catalog in force, and the bidders behind its entries. */
export interface Roster {
  catalog(): Catalog;
  /** The bidder of a catalog entry. */
  bidderOf(id: string): Bidder;
  /** From the next auction on; those that run keep the snapshot they began with. */
  swap(document: CatalogDocument, version: number): void;
}

/** @param createBidder  makes the bidder of an entry, once per catalog */
export function createRoster(
  document: CatalogDocument,
  version: number,
  createBidder: (id: string) => Bidder,
): Roster {
  let catalog: Catalog;
  let bidders: ReadonlyMap<string, Bidder>;
  swap(document, version);

  function swap(next: CatalogDocument, nextVersion: number): void {
    catalog = buildCatalog(next, nextVersion);
    bidders = new Map(Object.keys(next.bidders).map((id) => [id, createBidder(id)]));
  }

  return { catalog: () => catalog, bidderOf: (id) => bidders.get(id)!, swap };
}
