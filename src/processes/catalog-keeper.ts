import { createShared } from "../actor/shared.ts";
import { watchDatabase } from "../catalog/database-watch.ts";
import { CatalogError } from "../catalog/document.ts";
import { watchCatalogFile } from "../catalog/file-source.ts";
import type { LoadOrder, LoadResult } from "../catalog/load.ts";
import { parseLocation } from "../catalog/location.ts";
import { readSnapshotHeader, type SnapshotHeader, snapshotPath } from "../catalog/snapshot-file.ts";
import type { Config } from "../config.ts";
import { egressRule } from "../config-views.ts";
import type { Logger } from "../log.ts";
import { runLoad } from "./catalog-loader.ts";

/** Between two loads is as long as the first one took, so that changes leave the processor free. */
const REST_MS_MAX = 5_000;
/** A database that was not looked at for two turns and this long is told as well. */
const OVERDUE_MS = 10_000;

export interface CatalogKeeperOptions {
  config: Config;
  /** The snapshot file has been replaced: the workers are to read it. */
  onChange: () => void;
  logger: Logger;
  load?: (order: LoadOrder) => Promise<LoadResult>;
}

/** Keeps the snapshot that the workers read up to date: the only one that reads the catalog. */
export interface CatalogKeeper {
  /** Of the snapshot in force. */
  header(): SnapshotHeader;
  /** Why the snapshot may not be what the catalog says now, in words for GET /readyz. */
  fault(): string | undefined;
  /** Loads the catalog again, changed or not. Never rejects: a failure is logged. */
  reload(): Promise<void>;
  /** Follows the catalog from now on. */
  watch(): void;
  stop(): void;
}

/**
 * Takes the first snapshot; of a database that is away, or that says what is refused, the last one.
 * @throws CatalogError when the catalog is refused and no snapshot can serve
 * @throws Error when a database is away and no snapshot can serve, or when the disk refuses
 */
export async function openCatalogKeeper(options: CatalogKeeperOptions): Promise<CatalogKeeper> {
  const { config, onChange, logger, load = runLoad } = options;
  const location = parseLocation(config.CATALOG);
  const path = snapshotPath(config.DATA_DIR);
  const job = { catalog: config.CATALOG, egress: egressRule(config), path };
  let trouble: "away" | "refused" | undefined;
  /** The version that the database had when it was refused. */
  let refusedVersion: number | undefined;
  let header = await loadFirst();
  let confirmedAtMs = header.takenAtMs;
  let restUntilMs = 0;
  const reload = createShared(reloadOnce);
  let unwatch = () => {};

  async function loadFirst(): Promise<SnapshotHeader> {
    const result = await load({ ...job, inForce: undefined });
    if (result.kind === "taken") return result.header;
    const last = location.kind === "database" ? await readSnapshotHeader(path) : undefined;
    const isUsable = last?.source === location.shown;
    if (isUsable) note(result, "catalog: the last snapshot serves");
    if (isUsable) return last;
    if (result.kind === "refused") throw new CatalogError(result.problems);
    const cause = result.kind === "away" ? result.cause : "nothing was read";
    throw new Error(`CATALOG is away, and ${path} is no snapshot of it: ${cause}`);
  }

  async function reloadOnce(): Promise<void> {
    await Bun.sleep(Math.max(0, restUntilMs - performance.now()));
    const startedAtMs = performance.now();
    try {
      accept(await load({ ...job, inForce: header }));
    } catch (error) {
      accept({ kind: "away", cause: (error as Error).message });
    }
    const endedAtMs = performance.now();
    restUntilMs = endedAtMs + Math.min(endedAtMs - startedAtMs, REST_MS_MAX);
  }

  function accept(result: LoadResult): void {
    if (result.kind === "refused") return note(result, "catalog refused, the old one stays");
    if (result.kind === "away") return note(result, "catalog away, the old one stays");
    confirm();
    if (result.kind === "unchanged") return;
    header = result.header;
    const { version, supplies, bidders } = header;
    logger.info({ version, supplies, bidders }, "catalog reloaded");
    onChange();
  }

  /** What is in force is what the catalog says. */
  function confirm(): void {
    confirmedAtMs = Date.now();
    refusedVersion = undefined;
    if (trouble !== undefined) logger.info({ was: trouble }, "catalog is up to date again");
    trouble = undefined;
  }

  /** Every refusal is told, and that the catalog is away once. */
  function note(result: LoadResult, message: string): void {
    const isKnown = trouble === "away" && result.kind === "away";
    if (result.kind === "refused") logger.error({ problems: result.problems }, message);
    if (result.kind === "away" && !isKnown) logger.error({ cause: result.cause }, message);
    trouble = result.kind === "refused" ? "refused" : "away";
  }

  async function onVersion(version: number): Promise<void> {
    if (version === refusedVersion) {
      trouble = "refused"; // It may have been away meanwhile.
      return;
    }
    if (version === header.version && trouble !== "refused") return confirm();
    await reload();
    if (trouble === "refused") refusedVersion = version;
  }

  function watch(): void {
    if (location.kind === "file") {
      unwatch = watchCatalogFile(location.path, reload);
      void reload(); // It may have changed since it was loaded.
      return;
    }
    const database = watchDatabase({
      location,
      refreshMs: config.CATALOG_REFRESH_SECONDS * 1_000,
      onVersion,
      onFault: ({ message }) => accept({ kind: "away", cause: message }),
    });
    unwatch = () => void database.stop();
  }

  function fault(): string | undefined {
    const ageMs = Math.max(0, Date.now() - confirmedAtMs);
    const overdueMs = 2_000 * config.CATALOG_REFRESH_SECONDS + OVERDUE_MS;
    const isOverdue = location.kind === "database" && ageMs > overdueMs;
    const shown = trouble ?? (isOverdue ? "overdue" : undefined);
    if (shown === undefined) return undefined;
    const why = {
      away: "it cannot be read, see the log",
      refused: "what it says now is refused, see the log",
      overdue: "it is being read",
    };
    return `${Math.round(ageMs / 1_000)} s old: ${why[shown]}`;
  }

  return { header: () => header, fault, reload, watch, stop: () => unwatch() };
}
