import type { BidderDocument, CatalogDocument, SupplyDocument } from "./document.ts";

/** Who may bid. */
export interface CatalogBidder {
  readonly id: string;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly countries: readonly string[];
  /** Everything that the catalog says about it. */
  readonly settings: Readonly<BidderDocument>;
}

/** One sellable placement of a publisher. */
export interface Supply {
  readonly id: string;
  /** Every bidder of the supply, in catalog order. */
  readonly bidders: readonly CatalogBidder[];
  /** Places in `bidders` of those who may bid for a country. No entry: nobody may. */
  readonly eligible: ReadonlyMap<string, readonly number[]>;
  /** Lowest price that wins, CPM in integer micros; 0 for none. */
  readonly floorMicros: number;
  readonly auction: "first_price" | "second_price";
  /** What bidders are told of the placement. */
  readonly placement: Readonly<Pick<SupplyDocument, "imp" | "domain" | "app">>;
}

/** An immutable snapshot: every auction runs on exactly one. */
export interface Catalog {
  /** Rises by one with each snapshot that one supervisor has accepted. */
  readonly version: number;
  readonly supplies: ReadonlyMap<string, Supply>;
  readonly bidders: ReadonlyMap<string, CatalogBidder>;
  readonly bidderCount: number;
}

/** Builds the snapshot of a validated catalog, with the eligible bidders of each country. */
export function buildCatalog(document: CatalogDocument, version: number): Catalog {
  const bidders = new Map<string, CatalogBidder>();
  for (const [id, settings] of Object.entries(document.bidders)) {
    bidders.set(id, { id, countries: settings.countries ?? [settings.country!], settings });
  }
  const supplies = new Map<string, Supply>();
  for (const [id, written] of Object.entries(document.supplies)) {
    const supply: SupplyDocument = Array.isArray(written) ? { bidders: written } : written;
    const members = supply.bidders.map((bidderId) => bidders.get(bidderId)!);
    const { imp, domain, app } = supply;
    supplies.set(id, {
      id,
      bidders: members,
      eligible: groupByCountry(members),
      floorMicros: Math.round((supply.floor ?? 0) * 1e6),
      auction: supply.auction ?? "first_price",
      placement: { ...(imp && { imp }), ...(domain && { domain }), ...(app && { app }) },
    });
  }
  return { version, supplies, bidders, bidderCount: bidders.size };
}

function groupByCountry(members: readonly CatalogBidder[]): Map<string, number[]> {
  const eligible = new Map<string, number[]>();
  members.forEach(({ countries }, place) => {
    for (const country of countries) {
      const places = eligible.get(country);
      if (places) places.push(place);
      else eligible.set(country, [place]);
    }
  });
  return eligible;
}
