import type { Catalog, CatalogBidder } from "../catalog/catalog.ts";
import type { Bidder } from "./bidder.ts";

/** The catalog in force, and the bidders behind its entries. */
export interface Roster {
  catalog(): Catalog;
  /** The bidder behind an entry of this snapshot or an earlier one. */
  bidderOf(entry: CatalogBidder): Bidder;
  /**
   * From the next auction on; those that run keep the snapshot they began with. A bidder whose
   * settings stay stays the same, with all it has learnt; the others are retired.
   */
  swap(catalog: Catalog): void;
  /** Bidders that cannot be asked at the moment, and why. */
  troubles(): Trouble[];
}

/** What keeps a bidder from being asked. */
export interface Trouble {
  readonly bidderId: string;
  readonly cause: string;
}

/** A bidder that has been asked, and its entry in the catalog in force. */
interface Engaged {
  readonly entry: CatalogBidder;
  readonly bidder: Bidder;
}

/** @param createBidder  makes the bidder of an entry, at its first auction */
export function createRoster(
  first: Catalog,
  createBidder: (entry: CatalogBidder) => Bidder,
): Roster {
  let catalog = first;
  // By entry, so that an auction that began before a swap still finds its bidders.
  const bidders = new WeakMap<CatalogBidder, Bidder>();
  const engaged = new Map<string, Engaged>();

  function swap(next: Catalog): void {
    catalog = next;
    for (const [id, { entry, bidder }] of engaged) {
      const successor = catalog.bidders.get(id);
      if (successor && isSame(successor, entry)) engage(successor, bidder);
      else {
        engaged.delete(id);
        bidder.retire?.();
      }
    }
  }

  function bidderOf(entry: CatalogBidder): Bidder {
    return bidders.get(entry) ?? findBidder(entry);
  }

  function findBidder(entry: CatalogBidder): Bidder {
    const current = catalog.bidders.get(entry.id);
    const isInForce = current !== undefined && isSame(current, entry);
    const bidder = (isInForce && engaged.get(entry.id)?.bidder) || createBidder(entry);
    bidders.set(entry, bidder);
    if (isInForce) engage(current, bidder);
    else bidder.retire?.(); // Its catalog has gone already.
    return bidder;
  }

  function engage(entry: CatalogBidder, bidder: Bidder): void {
    bidders.set(entry, bidder);
    engaged.set(entry.id, { entry, bidder });
  }

  function troubles(): Trouble[] {
    const found: Trouble[] = [];
    for (const [bidderId, { bidder }] of engaged) {
      const cause = bidder.trouble?.();
      if (cause !== undefined) found.push({ bidderId, cause });
    }
    return found;
  }

  return { catalog: () => catalog, bidderOf, swap, troubles };
}

const isSame = (one: CatalogBidder, other: CatalogBidder) =>
  one === other || Bun.deepEquals(one.settings, other.settings);
