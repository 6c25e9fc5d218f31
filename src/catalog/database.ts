import { SQL } from "bun";
import { type DatabaseLocation, describeFault } from "./location.ts";

const CONNECT_SECONDS_MAX = 5;
/** Longest that SQLite waits for another process which writes. The event loop stands still. */
const BUSY_MS_MAX = 5_000;

/** The database answers, but it is not one that `exchange catalog init` has set up whole. */
export class SchemaError extends Error {
  override name = "SchemaError";
}

export interface OpenOptions {
  /** Whether a missing SQLite file is made. */
  isCreated?: boolean;
  busyMs?: number;
}

/** Opens one connection, at its first use. */
export async function openDatabase(
  { dialect, url }: DatabaseLocation,
  { isCreated = false, busyMs = BUSY_MS_MAX }: OpenOptions = {},
): Promise<SQL> {
  if (dialect === "sqlite") {
    const sql = new SQL({ adapter: "sqlite", filename: url, create: isCreated });
    await sql.unsafe(`PRAGMA busy_timeout = ${busyMs}`);
    await sql.unsafe("PRAGMA foreign_keys = ON");
    return sql;
  }
  // Said again: PGDATABASE and its like would win over the name in the URL.
  const database = decodeURIComponent(new URL(url).pathname.slice(1));
  const named = database === "" ? {} : { database };
  return new SQL(url, { max: 1, connectionTimeout: CONNECT_SECONDS_MAX, ...named });
}

/**
 * Runs a job with a connection that is closed afterwards, whatever becomes of it.
 * @throws SchemaError when a table or a column is missing
 * @throws Error in the words of the database, without passwords
 */
export async function withDatabase<T>(
  location: DatabaseLocation,
  job: (sql: SQL) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
  let sql: SQL | undefined;
  try {
    sql = await openDatabase(location, options);
    return await job(sql);
  } catch (fault) {
    throw toDatabaseError(fault, location);
  } finally {
    await sql?.close({ timeout: 0 }).catch(() => {});
  }
}

/** The fault as one that may be shown: no passwords, and a hint where a table is missing. */
export function toDatabaseError(fault: unknown, location: DatabaseLocation): Error {
  const message = describeFault(fault, location);
  if (!isSchemaFault(fault)) return new Error(message);
  return new SchemaError(`${message}; expected the tables of \`exchange catalog init\``);
}

/** Undefined tables and columns: PostgreSQL 42P01 and 42703, MySQL 1146 and 1054. */
function isSchemaFault(fault: unknown): boolean {
  const { errno, message = "" } = fault as { errno?: string | number; message?: string };
  if (["42P01", "42703", 1146, 1054].includes(errno ?? "")) return true;
  return /^no such (table|column)/.test(message);
}

/** The number that every change of the catalog raises. @throws as the database does */
export async function readVersion(sql: SQL): Promise<number> {
  const rows: { version: string | number }[] = await sql`SELECT version FROM catalog_version`;
  if (rows.length !== 1) throw new Error(`catalog_version has ${rows.length} rows, expected 1`);
  return Number(rows[0]!.version);
}
