import type { SnapshotHeader } from "../catalog/snapshot-file.ts";
import type { Config } from "../config.ts";
import { ownUrl, redisUrl } from "../config-views.ts";
import { mask } from "../mask.ts";
import { writeBidCommand } from "./bid-command.ts";

export interface BannerFacts {
  version: string;
  config: Config;
  port: number;
  pids: readonly number[];
  catalog: Pick<SnapshotHeader, "source" | "supplies" | "bidders" | "sample">;
  /** Why the catalog may be out of date. */
  catalogFault: string | undefined;
  /** Whether Redis answered; without one configured it does not matter. */
  isStoreReady: boolean;
}

/** What the user sees once every worker listens. */
export function writeBanner(facts: BannerFacts): string {
  const { version, config, port, pids, catalog } = facts;
  const url = ownUrl(config, port, "localhost");
  return [
    "",
    `  Ad exchange ${version} is open on ${url} (API: ${url}/docs)`,
    "",
    `  workers   ${pids.length} (pid ${pids.join(", ")})`,
    `  store     ${describeStore(facts)}`,
    `  catalog   ${describeCatalog(facts)}`,
    `  limiter   ${describeLimiter(config)}`,
    `  auctions  logged: ${config.LOG_AUCTIONS} (LOG_AUCTIONS)`,
    "",
    "  Hold an auction:",
    "",
    ...writeBidCommand(`${url}/bid`, catalog.sample),
    "",
    "",
  ].join("\n");
}

function describeCatalog({ catalog, catalogFault }: BannerFacts): string {
  const { source, supplies, bidders } = catalog;
  const fault = catalogFault === undefined ? "" : `, ${catalogFault.toUpperCase()}`;
  return `${source}: ${supplies} supplies, ${bidders} bidders${fault}`;
}

function describeStore({ config, isStoreReady }: BannerFacts): string {
  const url = redisUrl(config);
  if (url === undefined) return `embedded in ${config.DATA_DIR}, for one host only`;
  const away = isStoreReady ? "" : ", NOT REACHABLE: limits are local until it is back";
  return `Redis ${mask("REDIS_URL", url)}, shared by every host that uses it${away}`;
}

function describeLimiter(config: Config): string {
  const { RATE_LIMIT_MAX_REQUESTS: max, RATE_LIMIT_WINDOW_SECONDS: seconds } = config;
  return max === 0 ? "off" : `${max} bids in ${seconds} s for each client`;
}
