import { writeFile } from "node:fs/promises";
import { readDatabase } from "./database-reader.ts";
import { initDatabase, writeDatabase } from "./database-writer.ts";
import { describeDifference } from "./difference.ts";
import type { CatalogDocument } from "./document.ts";
import type { EgressRule } from "./egress.ts";
import { loadCatalogFile } from "./file-source.ts";
import { type DatabaseLocation, parseLocation } from "./location.ts";
import { readSnapshotDocument, snapshotPath } from "./snapshot-file.ts";

/**
 * The catalog, wherever it is kept.
 * @throws CatalogError when it is refused; Error when it cannot be read
 */
export async function readCatalog(catalog: string, egress: EgressRule): Promise<CatalogDocument> {
  const location = parseLocation(catalog);
  if (location.kind === "file") return loadCatalogFile(location.path, egress);
  return (await readDatabase(location, egress)).document;
}

export const countCatalog = ({ supplies, bidders }: CatalogDocument) =>
  `${Object.keys(supplies).length} supplies, ${Object.keys(bidders).length} bidders`;

/** Sets the database up. @returns what to print */
export async function initCatalog(catalog: string, egress: EgressRule): Promise<string> {
  const isSampled = await initDatabase(databaseOf(catalog));
  const counts = countCatalog(await readCatalog(catalog, egress));
  return isSampled
    ? `the tables are made, with the sample: ${counts}\n`
    : `the tables are there: ${counts}\n`;
}

/** Replaces what the database says by a file. @returns what to print */
export async function importCatalog(
  catalog: string,
  egress: EgressRule,
  file: string,
): Promise<string> {
  const location = databaseOf(catalog);
  const document = await loadCatalogFile(file, egress);
  await writeDatabase(location, document);
  return `imported: ${countCatalog(document)}\n`;
}

/** Writes the catalog as JSON to a file, for this user alone. @returns what to print */
export async function exportCatalog(
  catalog: string,
  egress: EgressRule,
  file: string | undefined,
): Promise<string> {
  const document = await readCatalog(catalog, egress);
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (file === undefined) return text;
  await writeFile(file, text, { mode: 0o600 });
  return `exported: ${countCatalog(document)}\n`;
}

/**
 * What a reload would change: from the last snapshot that was in force to the catalog of now. With
 * a file, what its import would change: from the catalog of now to the file.
 * @param dataDir  has the last snapshot
 * @returns what to print
 */
export async function diffCatalog(
  catalog: string,
  egress: EgressRule,
  dataDir: string,
  file: string | undefined,
): Promise<string> {
  const now = await readCatalog(catalog, egress);
  const other = file === undefined ? await lastOf(dataDir) : await loadCatalogFile(file, egress);
  const lines =
    file === undefined ? describeDifference(other, now) : describeDifference(now, other);
  const end = lines.length === 0 ? "nothing would change" : `${lines.length} would change`;
  return `${[...lines, end].join("\n")}\n`;
}

async function lastOf(dataDir: string): Promise<CatalogDocument> {
  const snapshot = snapshotPath(dataDir);
  const document = await readSnapshotDocument(snapshot);
  if (!document) throw new Error(`no exchange has served from this DATA_DIR yet: no ${snapshot}`);
  return document;
}

function databaseOf(catalog: string): DatabaseLocation {
  const location = parseLocation(catalog);
  if (location.kind === "database") return location;
  throw new Error(
    `CATALOG is the file ${location.shown}; expected a database, such as sqlite:catalog.db`,
  );
}
