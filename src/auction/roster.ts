import { buildCatalog, type Catalog, type CatalogBidder } from "../catalog/catalog.ts";
import type { CatalogDocument } from "../catalog/document.ts";
import type { Bidder } from "./bidder.ts";

/** The catalog in force, and the bidders behind its entries. */
export interface Roster {
  catalog(): Catalog;
  /** The bidder behind an entry of this snapshot or an earlier one. */
  bidderOf(entry: CatalogBidder): Bidder;
  /** From the next auction on; those that run keep the snapshot they began with. */
  swap(document: CatalogDocument, version: number): void;
}

/** @param createBidder  makes the bidder of an entry, at its first auction */
export function createRoster(
  document: CatalogDocument,
  version: number,
  createBidder: (id: string) => Bidder,
): Roster {
  let catalog: Catalog;
  // By entry, so that an auction that began before a swap still finds its bidders.
  const bidders = new WeakMap<CatalogBidder, Bidder>();
  swap(document, version);

  function swap(next: CatalogDocument, nextVersion: number): void {
    catalog = buildCatalog(next, nextVersion);
  }

  function bidderOf(entry: CatalogBidder): Bidder {
    let bidder = bidders.get(entry);
    if (!bidder) {
      bidder = createBidder(entry.id);
      bidders.set(entry, bidder);
    }
    return bidder;
  }

  return { catalog: () => catalog, bidderOf, swap };
}
