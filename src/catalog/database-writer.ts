import type { SQL } from "bun";
import mysqlSchema from "../../data/sql/mysql.sql" with { type: "text" };
import postgresSchema from "../../data/sql/postgres.sql" with { type: "text" };
import sample from "../../data/sql/sample.sql" with { type: "text" };
import sqliteSchema from "../../data/sql/sqlite.sql" with { type: "text" };
import { readVersion, withDatabase } from "./database.ts";
import type { CatalogDocument } from "./document.ts";
import type { DatabaseLocation } from "./location.ts";
import { type Row, TABLES, toTables } from "./rows.ts";

const SCHEMAS = { mysql: mysqlSchema, postgres: postgresSchema, sqlite: sqliteSchema };
/** What a new version row begins with: nobody has ever written to such a catalog. */
const FIRST_VERSION = 1;
const ROWS_PER_INSERT = 1_000;
/** SQLite takes 32,766 of them in a statement, the others more. */
const VALUES_PER_INSERT = 30_000;
const LOCK_SECONDS_MAX = 10;

/**
 * Adds the tables, indexes and triggers that are missing, and the sample to a catalog that nobody
 * has ever written to. What is there stays as it is.
 * @returns whether the sample was added
 * @throws as `withDatabase`
 */
export function initDatabase(location: DatabaseLocation): Promise<boolean> {
  const { dialect } = location;
  const apply = async (sql: SQL) => {
    await sql.unsafe(SCHEMAS[dialect]);
    if ((await readVersion(sql)) !== FIRST_VERSION) return false;
    await sql.unsafe(sample);
    return true;
  };
  return withDatabase(
    location,
    async (sql) => {
      if (dialect === "postgres") return sql.begin(apply);
      if (dialect === "sqlite") {
        await sql.unsafe("PRAGMA journal_mode = WAL"); // Readers do not wait for writers.
        return sql.begin("immediate", apply);
      }
      // Each statement that makes a table ends the transaction: two of us take turns by a lock.
      await sql`SELECT GET_LOCK('exchange catalog', ${LOCK_SECONDS_MAX})`;
      return apply(sql);
    },
    { isCreated: true },
  );
}

/**
 * Replaces the whole catalog in one transaction.
 * @throws as `withDatabase`
 */
export function writeDatabase(location: DatabaseLocation, document: CatalogDocument) {
  const tables = toTables(document);
  return withDatabase(location, (sql) =>
    sql.begin(async (tx) => {
      for (const name of TABLES.toReversed()) await tx`DELETE FROM ${tx(name)}`;
      for (const name of TABLES) await insertAll(tx, name, tables[name]);
    }),
  );
}

async function insertAll(tx: SQL, table: string, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).length;
  const perInsert = Math.min(ROWS_PER_INSERT, Math.floor(VALUES_PER_INSERT / columns));
  for (let i = 0; i < rows.length; i += perInsert) {
    await tx`INSERT INTO ${tx(table)} ${tx(rows.slice(i, i + perInsert))}`;
  }
}
