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

/** What a snapshot is made of, each with the digest of what it was read from. */
export interface CatalogEntries {
  readonly bidders: ReadonlyMap<string, { readonly entry: CatalogBidder; readonly digest: number }>;
  readonly supplies: ReadonlyMap<string, ListedSupply>;
}

/**
 * Puts a snapshot together, entry by entry, so that a large one can be built in pieces. An entry
 * with the digest that it had in the snapshot before is taken over; `read` is not called for it.
 */
export interface CatalogBuilder {
  /** Bidders come before the supplies that list them. */
  addBidder(id: string, digest: number, read: () => BidderDocument): void;
  addSupply(id: string, digest: number, read: () => string[] | SupplyDocument): void;
  finish(version: number): Catalog;
  /** For the next snapshot, which must not keep this builder: it keeps the entries before. */
  readonly entries: CatalogEntries;
}

/** @param before  of the snapshot before */
export function createCatalogBuilder(before?: CatalogEntries): CatalogBuilder {
  const bidders = new Map<string, { entry: CatalogBidder; digest: number }>();
  const supplies = new Map<string, ListedSupply>();
  const panels = new Map<string, Panel>();
  /** Panels of the snapshot before, and whether all of their bidders are still the same. */
  const kept = new Map<Panel, boolean>();

  function addBidder(id: string, digest: number, read: () => BidderDocument): void {
    const known = before?.bidders.get(id);
    if (known?.digest === digest) return void bidders.set(id, known);
    const settings = read();
    const entry = { id, countries: settings.countries ?? [settings.country!], settings };
    bidders.set(id, { entry, digest });
  }

  function addSupply(id: string, digest: number, read: () => string[] | SupplyDocument): void {
    const known = before?.supplies.get(id);
    if (known?.digest === digest && isUnchanged(known.panel)) return void supplies.set(id, known);
    const written = read();
    const supply = Array.isArray(written) ? { bidders: written } : written;
    supplies.set(id, new ListedSupply(id, digest, panelOf(supply.bidders), supply));
  }

  function isUnchanged(panel: Panel): boolean {
    let isSame = kept.get(panel);
    if (isSame === undefined) {
      isSame = panel.bidders.every((entry) => bidders.get(entry.id)?.entry === entry);
      kept.set(panel, isSame);
    }
    return isSame;
  }

  function panelOf(ids: readonly string[]): Panel {
    const key = ids.join(" "); // An id has no spaces.
    let panel = panels.get(key);
    if (!panel) {
      panel = new Panel(ids.map((id) => bidders.get(id)!.entry));
      panels.set(key, panel);
    }
    return panel;
  }

  function finish(version: number): Catalog {
    const entries = new Map<string, CatalogBidder>();
    for (const [id, { entry }] of bidders) entries.set(id, entry);
    return { version, supplies, bidders: entries };
  }

  return { addBidder, addSupply, finish, entries: { bidders, supplies } };
}

/** Builds the snapshot of a validated catalog. */
export function buildCatalog(document: CatalogDocument, version: number): Catalog {
  const builder = createCatalogBuilder();
  for (const [id, bidder] of Object.entries(document.bidders)) {
    builder.addBidder(id, NO_DIGEST, () => bidder);
  }
  for (const [id, supply] of Object.entries(document.supplies)) {
    builder.addSupply(id, NO_DIGEST, () => supply);
  }
  return builder.finish(version);
}

/** Equal to no digest, itself included. */
const NO_DIGEST = Number.NaN;

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

/** A class, so that 100,000 of them share their getters. */
class ListedSupply implements Supply {
  readonly id: string;
  readonly digest: number;
  readonly panel: Panel;
  readonly floorMicros: number;
  readonly auction: Supply["auction"];
  readonly placement: Supply["placement"];

  constructor(id: string, digest: number, panel: Panel, supply: SupplyDocument) {
    const { floor, auction, imp, domain, app } = supply;
    this.id = id;
    this.digest = digest;
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
