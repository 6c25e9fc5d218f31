import type { SQL, TransactionSQL } from "bun";
import { readVersion, withDatabase } from "./database.ts";
import { type CatalogDocument, CatalogError, validateCatalog } from "./document.ts";
import type { EgressRule } from "./egress.ts";
import type { DatabaseLocation, Dialect } from "./location.ts";
import { nameRow, type Row, type SupplyLists, toBidder, toSupply } from "./rows.ts";

const STATEMENT_SECONDS_MAX = 30;
/** Read at once, with everything that belongs to them: it bounds a result, not the catalog. */
const SUPPLIES_PER_PAGE = 1_000;

export interface StoredCatalog {
  /** Of the version row, read in the same transaction. */
  version: number;
  document: CatalogDocument;
}

/**
 * Reads the whole catalog in one transaction, which sees one state, and validates it as a file.
 * @throws CatalogError naming the row beside the JSON pointer of each fault
 * @throws as `withDatabase`
 */
export async function readDatabase(
  location: DatabaseLocation,
  egress?: EgressRule,
): Promise<StoredCatalog> {
  const { version, document, orphans } = await withDatabase(location, (sql) =>
    inOneState(sql, location.dialect, async (tx) => ({
      version: await readVersion(tx),
      document: { bidders: await readBidders(tx), supplies: await readSupplies(tx) },
      orphans: location.dialect === "sqlite" ? await findOrphans(tx) : [],
    })),
  );
  if (orphans.length > 0) throw new CatalogError(orphans);
  try {
    return { version, document: validateCatalog(document, egress) };
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    const problems = error.problems.map((p) => nameRow(p, document as CatalogDocument));
    throw new CatalogError(problems);
  }
}

async function inOneState<T>(
  sql: SQL,
  dialect: Dialect,
  job: (tx: TransactionSQL) => Promise<T>,
): Promise<T> {
  if (dialect === "sqlite") return sql.begin(job);
  if (dialect === "postgres") {
    return sql.begin("isolation level repeatable read read only", async (tx) => {
      await tx.unsafe(`SET LOCAL statement_timeout = '${STATEMENT_SECONDS_MAX}s'`);
      return job(tx);
    });
  }
  const [{ name }] = await sql`SELECT version() AS name`;
  const timeout = String(name).includes("MariaDB")
    ? `max_statement_time = ${STATEMENT_SECONDS_MAX}`
    : `max_execution_time = ${STATEMENT_SECONDS_MAX * 1_000}`;
  await sql.unsafe(`SET SESSION ${timeout}`);
  await sql.unsafe("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  return sql.begin("with consistent snapshot, read only", job);
}

async function readBidders(tx: SQL): Promise<Record<string, unknown>> {
  const rows: Row[] = await tx`
    SELECT id, country, endpoint, seat, max_in_flight, max_qps, timeout_ms, gzip, wait,
      no_bid_probability, latency_ms
    FROM bidders ORDER BY id`;
  const countries = groupBy<Row>(
    "bidder_id",
    await tx`
    SELECT bidder_id, country FROM bidder_countries ORDER BY bidder_id, position, country`,
  );
  const headers = groupBy<Row>(
    "bidder_id",
    await tx`
    SELECT bidder_id, name, value FROM bidder_headers ORDER BY bidder_id, name`,
  );
  return Object.fromEntries(
    rows.map((row) => {
      const id = String(row.id);
      return [id, toBidder(row, countries.get(id) ?? [], headers.get(id) ?? [])];
    }),
  );
}

async function readSupplies(tx: SQL): Promise<Record<string, unknown>> {
  const supplies: [id: string, supply: unknown][] = [];
  const bidderIds = new Map<string, string>(); // One text for all places where a bidder is named.
  for (let after = ""; ; ) {
    const rows: Row[] = await tx`
      SELECT id, floor, auction, domain, app_bundle, app_name, app_domain, app_storeurl, video_w,
        video_h, video_minduration, video_maxduration, native_request, native_ver
      FROM supplies WHERE id > ${after} ORDER BY id LIMIT ${SUPPLIES_PER_PAGE}`;
    const last = rows.at(-1);
    if (!last) break;
    const listsOf = await readLists(tx, after, String(last.id), bidderIds);
    for (const row of rows) supplies.push([String(row.id), toSupply(row, listsOf(String(row.id)))]);
    if (rows.length < SUPPLIES_PER_PAGE) break;
    after = String(last.id);
  }
  return Object.fromEntries(supplies);
}

/** What belongs to the supplies after one id and up to another. */
async function readLists(tx: SQL, after: string, last: string, bidderIds: Map<string, string>) {
  const bidders = new Map<string, string[]>();
  const members: [supplyId: string, bidderId: string][] = await tx`
    SELECT supply_id, bidder_id FROM supply_bidders
    WHERE supply_id > ${after} AND supply_id <= ${last}
    ORDER BY supply_id, position, bidder_id`.values();
  for (const [supplyId, id] of members) {
    if (!bidderIds.has(id)) bidderIds.set(id, id);
    push(bidders, supplyId, bidderIds.get(id)!);
  }
  const formats = groupBy<Row>(
    "supply_id",
    await tx`
    SELECT supply_id, w, h FROM supply_banner_formats
    WHERE supply_id > ${after} AND supply_id <= ${last} ORDER BY supply_id, position, w, h`,
  );
  const mimes = groupBy<Row>(
    "supply_id",
    await tx`
    SELECT supply_id, mime FROM supply_video_mimes
    WHERE supply_id > ${after} AND supply_id <= ${last} ORDER BY supply_id, position, mime`,
  );
  const protocols = groupBy<Row>(
    "supply_id",
    await tx`
    SELECT supply_id, protocol FROM supply_video_protocols
    WHERE supply_id > ${after} AND supply_id <= ${last} ORDER BY supply_id, position, protocol`,
  );
  return (id: string): SupplyLists => ({
    bidders: bidders.get(id) ?? [],
    formats: formats.get(id) ?? [],
    mimes: mimes.get(id) ?? [],
    protocols: protocols.get(id) ?? [],
  });
}

/** SQLite lets a connection switch foreign keys off, and most do. */
async function findOrphans(tx: SQL): Promise<string[]> {
  const rows: { table: string; rowid: number; parent: string }[] = await tx.unsafe(
    "PRAGMA foreign_key_check",
  );
  return rows
    .slice(0, 20)
    .map(({ table, rowid, parent }) => `${table}.rowid=${rowid}: expected a row of ${parent}`);
}

function groupBy<R extends Row>(column: string, rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) push(groups, String(row[column]), row);
  return groups;
}

function push<T>(groups: Map<string, T[]>, key: string, value: T): void {
  const group = groups.get(key);
  if (group) group.push(value);
  else groups.set(key, [value]);
}
