import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initDatabase } from "../src/catalog/database-writer.ts";
import type { CatalogDocument } from "../src/catalog/document.ts";
import { type DatabaseLocation, parseLocation } from "../src/catalog/location.ts";

/** A supply and a country that it has bidders for. */
interface SupplyCountry {
  readonly supplyId: string;
  readonly country: string;
}

/** A catalog and what may be asked of it. */
export interface BenchCatalog {
  /** As CATALOG names it. */
  readonly path: string;
  readonly offers: readonly SupplyCountry[];
  /** Each request names another supply: its digits run through so many. Else one of `offers`. */
  readonly suppliesSpread?: number;
  /** Where its bidders are played, without a path. */
  readonly stubs?: readonly string[];
}

/** The one of data/, every supply with every country that it has bidders for. */
export async function sampleCatalog(): Promise<BenchCatalog> {
  const path = fileURLToPath(new URL("../data/catalog.json", import.meta.url));
  const { supplies, bidders }: CatalogDocument = await Bun.file(path).json();
  const offers = Object.entries(supplies).flatMap(([supplyId, supply]) => {
    const members = Array.isArray(supply) ? supply : supply.bidders;
    const countries = new Set(members.map((id) => bidders[id]!.country!));
    return [...countries].map((country) => ({ supplyId, country }));
  });
  return { path, offers };
}

/** The same in a SQLite database, which the workers never see. */
export async function sqliteCatalog(dir: string): Promise<BenchCatalog> {
  const path = `sqlite:${join(dir, "catalog.db")}`;
  await initDatabase(parseLocation(path) as DatabaseLocation);
  return { ...(await sampleCatalog()), path };
}

/** One supply with ten bidders, all for one country. */
export async function tenBiddersCatalog(dir: string): Promise<BenchCatalog> {
  const ids = Array.from({ length: 10 }, (_, i) => `bidder${i}`);
  const bidders = Object.fromEntries(ids.map((id) => [id, { country: "US" }]));
  const path = await saveCatalog(dir, "ten-bidders", { supplies: { wide: ids }, bidders });
  return { path, offers: [{ supplyId: "wide", country: "US" }] };
}

const COUNTRIES = "US GB DE FR CA AU JP BR IT ES NL SE NO PL IN MX KR ZA AR CH".split(" ");
const BIDDERS = 1_000;
const BIDDERS_PER_SUPPLY = 50;
/** As many as the sample catalog has supplies, each with as many countries as it has there. */
const ASKED = 12;
const ASKED_COUNTRIES = 4;

/** Equal length, so that the digits can be written in place. */
export const spreadSupplyId = (index: number) => `s${String(index).padStart(6, "0")}`;

/**
 * So many supplies of 50 bidders, of whom two or three may bid for a country, as in the sample:
 * what it costs more is due to its size.
 */
export async function largeCatalog(dir: string, supplyCount: number): Promise<BenchCatalog> {
  const ids = Array.from({ length: BIDDERS }, (_, i) => `bidder${String(i).padStart(4, "0")}`);
  const countryOf = (i: number) => ({ country: COUNTRIES[i % COUNTRIES.length]! });
  const bidders = Object.fromEntries(ids.map((id, i) => [id, countryOf(i)]));
  const supplies: CatalogDocument["supplies"] = {};
  for (let s = 0; s < supplyCount; s++) {
    const members = Array.from(
      { length: BIDDERS_PER_SUPPLY },
      (_, k) => ids[(s * 7 + k) % BIDDERS]!,
    );
    supplies[spreadSupplyId(s)] = members;
  }
  const path = await saveCatalog(dir, "large", { supplies, bidders });
  const offers = Array.from({ length: ASKED * ASKED_COUNTRIES }, (_, i) => ({
    supplyId: spreadSupplyId(Math.floor(((i % ASKED) * supplyCount) / ASKED)),
    country: COUNTRIES[Math.floor(i / ASKED)]!,
  }));
  return { path, offers };
}

export async function saveCatalog(
  dir: string,
  name: string,
  document: CatalogDocument,
): Promise<string> {
  const path = join(dir, `${name}.json`);
  await Bun.write(path, JSON.stringify(document));
  return path;
}
