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
}

/** Puts a snapshot together, entry by entry, so that a large one can be built in pieces. */
export interface CatalogBuilder {
  /** Bidders come before the supplies that have them. */
  addBidder(id: string, settings: BidderDocument): CatalogBidder;
  addSupply(id: string, supply: string[] | SupplyDocument): void;
  /** Takes a bidder of an earlier snapshot over as it is. */
  keepBidder(bidder: CatalogBidder): void;
  /** Takes a supply of an earlier snapshot over. False: a bidder of it has changed since. */
  keepSupply(supply: Supply): boolean;
  finish(version: number): Catalog;
}

export function createCatalogBuilder(): CatalogBuilder {
  const bidders = new Map<string, CatalogBidder>();
  const supplies = new Map<string, Supply>();
  const panels = new Map<string, Panel>();
  /** Panels of earlier snapshots, and whether all of their bidders are still the same. */
  const kept = new Map<Panel, boolean>();

  function panelOf(ids: readonly string[]): Panel {
    const key = ids.join(" "); // An id has no spaces.
    let panel = panels.get(key);
    if (!panel) {
      panel = new Panel(ids.map((id) => bidders.get(id)!));
      panels.set(key, panel);
    }
    return panel;
  }

  function isUnchanged(panel: Panel): boolean {
    let isSame = kept.get(panel);
    if (isSame === undefined) {
      isSame = panel.bidders.every((bidder) => bidders.get(bidder.id) === bidder);
      kept.set(panel, isSame);
    }
    return isSame;
  }

  function keepSupply(supply: Supply): boolean {
    if (!(supply instanceof ListedSupply) || !isUnchanged(supply.panel)) return false;
    supplies.set(supply.id, supply);
    return true;
  }

  return {
    addBidder(id, settings) {
      const bidder = { id, countries: settings.countries ?? [settings.country!], settings };
      bidders.set(id, bidder);
      return bidder;
    },
    addSupply(id, written) {
      const supply = Array.isArray(written) ? { bidders: written } : written;
      supplies.set(id, new ListedSupply(id, panelOf(supply.bidders), supply));
    },
    keepBidder: (bidder) => void bidders.set(bidder.id, bidder),
    keepSupply,
    finish: (version) => ({ version, supplies, bidders }),
  };
}

/** Builds the snapshot of a validated catalog. */
export function buildCatalog(document: CatalogDocument, version: number): Catalog {
  const builder = createCatalogBuilder();
  for (const [id, bidder] of Object.entries(document.bidders)) builder.addBidder(id, bidder);
  for (const [id, supply] of Object.entries(document.supplies)) builder.addSupply(id, supply);
  return builder.finish(version);
}

/** The bidders of all supplies that list the same ones, kept once for all of them. */
class Panel {
  readonly bidders: readonly CatalogBidder[];
  private grouped: Map<string, number[]> | undefined;

  constructor(bidders: readonly CatalogBidder[]) {
    this.bidders = bidders;
  }

  /** Grouped when it is first asked for: most of a large catalog is bid for rarely. */
  get eligible(): ReadonlyMap<string, readonly number[]> {
    this.grouped ??= groupByCountry(this.bidders);
    return this.grouped;
  }
}

class ListedSupply implements Supply {
  readonly id: string;
  readonly panel: Panel;
  readonly floorMicros: number;
  readonly auction: Supply["auction"];
  readonly placement: Supply["placement"];

  constructor(id: string, panel: Panel, { floor, auction, imp, domain, app }: SupplyDocument) {
    this.id = id;
    this.panel = panel;
    this.floorMicros = Math.round((floor ?? 0) * 1e6);
    this.auction = auction ?? "first_price";
    const isSilent = imp === undefined && domain === undefined && app === undefined;
    this.placement = isSilent
      ? NO_PLACEMENT
      : { ...(imp && { imp }), ...(domain && { domain }), ...(app && { app }) };
  }

  get bidders(): readonly CatalogBidder[] {
    return this.panel.bidders;
  }

  get eligible(): ReadonlyMap<string, readonly number[]> {
    return this.panel.eligible;
  }
}

const NO_PLACEMENT: Supply["placement"] = {};

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
