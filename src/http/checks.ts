import { within } from "../actor/within.ts";
import type { Trouble } from "../auction/roster.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Check } from "./health.ts";

const PING_DEADLINE_MS = 250;
const TROUBLES_NAMED_MAX = 3;

export interface CheckOptions {
  isDraining: () => boolean;
  catalog: () => Catalog;
  /** Why it may not be what the source of the catalog says now. */
  catalogFault: () => Promise<string | null>;
  /** What the store is called here. */
  storeName: "embedded" | "redis";
  ping: () => Promise<void>;
  /** Whether limits are decided without the store at the moment. */
  isFallbackActive: () => boolean;
  /** What becomes of limits without the store; `kept`: they do not need it. */
  limitsWithout: "off" | "kept" | "local" | "open" | "closed";
  hasRoomToRecord: () => boolean;
  /** Supplies whose counters refuse. */
  refusedSupplies: () => readonly string[];
  /** Counted auctions that the store has lost, in digits. */
  lost: () => Promise<string>;
  /** Bidders that are not asked. */
  troubles: () => readonly Trouble[];
}

/** What GET /readyz looks at. */
export function createChecks(options: CheckOptions): Record<string, () => Check | Promise<Check>> {
  const { isDraining, catalog, catalogFault, storeName, ping, isFallbackActive, limitsWithout } =
    options;
  const { hasRoomToRecord, refusedSupplies, lost, troubles } = options;

  function accepting(): Check {
    if (isDraining()) return { status: "failed", detail: "shutting down" };
    return { status: "ok", detail: "yes" };
  }

  async function checkCatalog(): Promise<Check> {
    const { version, supplies } = catalog();
    const detail = `version ${version}, ${supplies.size} supplies`;
    const fault = await catalogFault();
    if (fault === null) return { status: "ok", detail };
    return { status: "degraded", detail: `${detail}, ${fault}` };
  }

  /** Without Redis bids go on by the fallback, and their outcomes wait in the journal. */
  async function store(): Promise<Check> {
    const answers = await within(ping(), PING_DEADLINE_MS, "ping").then(
      () => true,
      () => false,
    );
    if (answers && !isFallbackActive()) return { status: "ok", detail: storeName };
    const isServing = limitsWithout !== "closed" && hasRoomToRecord();
    const detail = `${storeName} does not answer, limits: ${limitsWithout}`;
    return { status: isServing ? "degraded" : "failed", detail };
  }

  async function statistics(): Promise<Check> {
    if (!hasRoomToRecord()) return { status: "failed", detail: "the journal is full" };
    const refused = refusedSupplies().length;
    if (refused > 0) {
      return {
        status: "degraded",
        detail: `the counters of ${refused} supplies refuse, see the log`,
      };
    }
    const auctions = await lost();
    if (auctions === "0") return { status: "ok", detail: "none lost" };
    return { status: "degraded", detail: `${auctions} auctions lost by the store` };
  }

  /** Auctions go on among the others. */
  function bidders(): Check {
    const found = troubles();
    if (found.length === 0) return { status: "ok", detail: "none is left out" };
    const named = found.slice(0, TROUBLES_NAMED_MAX);
    const more = found.length > named.length ? ", ..." : "";
    const list = named.map(({ bidderId, cause }) => `${bidderId} (${cause})`).join(", ");
    return { status: "degraded", detail: `${found.length} not asked: ${list}${more}` };
  }

  return { accepting, catalog: checkCatalog, store, statistics, bidders };
}
