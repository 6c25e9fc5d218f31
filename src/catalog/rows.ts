import { unescapePointer } from "../json-fault.ts";
import type { BidderDocument, CatalogDocument, SupplyDocument } from "./document.ts";

type Value = string | number | boolean | null;
/** A row of a table by column; NULL is what the catalog does not say. */
export type Row = Record<string, Value>;
/** The rows of each table, those that others refer to first. */
export type Tables = Record<(typeof TABLES)[number], Row[]>;

/** In an order in which they can be filled. */
export const TABLES = [
  "bidders",
  "bidder_countries",
  "bidder_headers",
  "supplies",
  "supply_bidders",
  "supply_banner_formats",
  "supply_video_mimes",
  "supply_video_protocols",
] as const;

/** What a bidder says in its own row; countries and headers have tables. */
const BIDDER_COLUMNS = [
  "country",
  "endpoint",
  "seat",
  "max_in_flight",
  "max_qps",
  "timeout_ms",
  "gzip",
  "wait",
  "no_bid_probability",
  "latency_ms",
] as const;

/** A validated catalog as rows. Lists are numbered from 1 by `position`. */
export function toTables({ bidders, supplies }: CatalogDocument): Tables {
  const tables = Object.fromEntries(TABLES.map((name) => [name, []])) as unknown as Tables;
  for (const [id, bidder] of Object.entries(bidders)) addBidder(tables, id, bidder);
  for (const [id, supply] of Object.entries(supplies)) {
    addSupply(tables, id, Array.isArray(supply) ? { bidders: supply } : supply);
  }
  return tables;
}

function addBidder(tables: Tables, id: string, bidder: BidderDocument): void {
  const said = BIDDER_COLUMNS.map((column) => [column, bidder[column] ?? null]);
  tables.bidders.push({ id, ...Object.fromEntries(said) });
  const owner = { bidder_id: id };
  tables.bidder_countries.push(...numbered(owner, "country", bidder.countries));
  for (const [name, value] of Object.entries(bidder.headers ?? {})) {
    tables.bidder_headers.push({ ...owner, name, value });
  }
}

function addSupply(tables: Tables, id: string, supply: SupplyDocument): void {
  const { floor, auction, domain, app, imp } = supply;
  const { banner, video, native } = imp ?? {};
  const said = {
    id,
    floor,
    auction,
    domain,
    app_bundle: app?.bundle,
    app_name: app?.name,
    app_domain: app?.domain,
    app_storeurl: app?.storeurl,
    video_w: video?.w,
    video_h: video?.h,
    video_minduration: video?.minduration,
    video_maxduration: video?.maxduration,
    native_request: native?.request,
    native_ver: native?.ver,
  };
  const filled = Object.entries(said).map(([column, value]) => [column, value ?? null]);
  tables.supplies.push(Object.fromEntries(filled));
  const owner = { supply_id: id };
  tables.supply_bidders.push(...numbered(owner, "bidder_id", supply.bidders));
  banner?.format.forEach(({ w, h }, i) => {
    tables.supply_banner_formats.push({ ...owner, position: i + 1, w, h });
  });
  tables.supply_video_mimes.push(...numbered(owner, "mime", video?.mimes));
  tables.supply_video_protocols.push(...numbered(owner, "protocol", video?.protocols));
}

const numbered = (owner: Row, column: string, values: readonly Value[] = []): Row[] =>
  values.map((value, i) => ({ ...owner, position: i + 1, [column]: value }));

/** A bidder as its rows say it; whether that is valid is not looked at. */
export function toBidder(row: Row, countries: readonly Row[], headers: readonly Row[]) {
  const { id: _, gzip, wait, ...rest } = row;
  return said({
    ...rest,
    gzip: toBoolean(gzip),
    wait: toBoolean(wait),
    countries: listOf(countries, "country"),
    headers:
      headers.length === 0
        ? null
        : Object.fromEntries(headers.map(({ name, value }) => [name, value])),
  });
}

/** The lists of one supply, in their order. */
export interface SupplyLists {
  bidders: string[];
  formats: Row[];
  mimes: Row[];
  protocols: Row[];
}

/** A supply as its rows say it, in the short form where that says it all. */
export function toSupply(row: Row, lists: SupplyLists) {
  const { floor, auction, domain } = row;
  const video = said({
    mimes: listOf(lists.mimes, "mime"),
    w: row.video_w,
    h: row.video_h,
    minduration: row.video_minduration,
    maxduration: row.video_maxduration,
    protocols: listOf(lists.protocols, "protocol"),
  });
  const native = said({ request: row.native_request, ver: row.native_ver });
  const format = lists.formats.map(({ w, h }) => ({ w, h }));
  const imp = said({
    banner: format.length === 0 ? null : { format },
    video: orNull(video),
    native: orNull(native),
  });
  const app = said({
    bundle: row.app_bundle,
    name: row.app_name,
    domain: row.app_domain,
    storeurl: row.app_storeurl,
  });
  const more = said({
    floor: floor === null ? null : Number(floor), // Decimals come as text.
    auction,
    imp: orNull(imp),
    domain,
    app: orNull(app),
  });
  const isShort = Object.keys(more).length === 0;
  return isShort ? lists.bidders : { bidders: lists.bidders, ...more };
}

const said = (object: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));

const orNull = (object: object) => (Object.keys(object).length === 0 ? null : object);

const listOf = (rows: readonly Row[], column: string) =>
  rows.length === 0 ? null : rows.map((row) => row[column]);

/** SQLite and MySQL have numbers for it. What is neither stays as it is, to be refused. */
const toBoolean = (value: Value | undefined) => (value === 1 ? true : value === 0 ? false : value);

/** The table of a part of a document, by how its JSON pointer goes on below the id. */
const PARTS: readonly [kind: string, below: RegExp, table: string, key: string][] = [
  ["bidders", /^\/countries/, "bidder_countries", "bidder_id"],
  ["bidders", /^\/headers/, "bidder_headers", "bidder_id"],
  ["bidders", /^/, "bidders", "id"],
  ["supplies", /^\/(bidders\/)?\d+$/, "supply_bidders", "supply_id"],
  ["supplies", /^\/bidders$/, "supply_bidders", "supply_id"],
  ["supplies", /^\/imp\/banner/, "supply_banner_formats", "supply_id"],
  ["supplies", /^\/imp\/video\/mimes/, "supply_video_mimes", "supply_id"],
  ["supplies", /^\/imp\/video\/protocols/, "supply_video_protocols", "supply_id"],
  ["supplies", /^/, "supplies", "id"],
];

/** Puts the row before a problem of the document that was read from rows. */
export function nameRow(problem: string, document: CatalogDocument): string {
  // Ids have no spaces, but they may have colons.
  const [, kind, escaped = "", below = ""] =
    /^#\/(bidders|supplies)\/([^/]*?)(\/.*?)?: /.exec(problem) ?? [];
  const part = PARTS.find(([of, pattern]) => of === kind && pattern.test(below));
  if (!part) return problem;
  const id = unescapePointer(escaped);
  const [, , table, key] = part;
  return `${table}.${key}=${id}${memberOf(document, id, table, below)}: ${problem}`;
}

/** Which bidder of the supply it is. */
function memberOf(document: CatalogDocument, id: string, table: string, below: string): string {
  const place = /\d+$/.exec(below)?.[0];
  if (table !== "supply_bidders" || place === undefined) return "";
  const supply = document.supplies[id]!;
  const members = Array.isArray(supply) ? supply : supply.bidders;
  return ` bidder_id=${members[Number(place)]}`;
}
