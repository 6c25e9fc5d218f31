import { SchemaError } from "./database.ts";
import { readDatabase, type StoredCatalog } from "./database-reader.ts";
import { CatalogError } from "./document.ts";
import type { EgressRule } from "./egress.ts";
import { loadCatalogFile } from "./file-source.ts";
import { type CatalogLocation, parseLocation } from "./location.ts";
import { formatSnapshot, type SnapshotHeader, writeSnapshot } from "./snapshot-file.ts";

/** What to load, and where to. */
export interface LoadOrder {
  /** CATALOG as it was given. */
  catalog: string;
  /** Whom bidders' endpoints may mean. */
  egress: EgressRule;
  /** The snapshot to replace. */
  path: string;
  /** What is in force; undefined at the start. */
  inForce: Pick<SnapshotHeader, "version" | "digest"> | undefined;
}

export type LoadResult =
  /** A new snapshot is in its place. */
  | { kind: "taken"; header: SnapshotHeader }
  /** The catalog is what it was. */
  | { kind: "unchanged" }
  /** It breaks rules, one line for each: there is no new snapshot. */
  | { kind: "refused"; problems: readonly string[] }
  /** Nobody knows what it says. */
  | { kind: "away"; cause: string };

/**
 * Reads the catalog, validates it and writes its snapshot. As a large one takes seconds in one
 * piece, this is for a process that serves nobody.
 * @throws Error when the disk refuses
 */
export async function loadCatalog({ catalog, egress, path, inForce }: LoadOrder) {
  const location = parseLocation(catalog);
  const stored = await readLocation(location, egress, inForce);
  if ("kind" in stored) return stored;
  const facts = { source: location.shown, version: stored.version, takenAtMs: Date.now() };
  const snapshot = formatSnapshot(stored.document, facts);
  const isSameContent = snapshot.header.digest === inForce?.digest;
  const isSame = location.kind === "file" || stored.version === inForce?.version;
  if (isSameContent && isSame) return { kind: "unchanged" } satisfies LoadResult;
  await writeSnapshot(path, snapshot);
  return { kind: "taken", header: snapshot.header } satisfies LoadResult;
}

/** A file has no version of its own: one is counted for it. */
async function readLocation(
  location: CatalogLocation,
  egress: EgressRule,
  inForce: LoadOrder["inForce"],
): Promise<StoredCatalog | Extract<LoadResult, { kind: "refused" | "away" }>> {
  try {
    if (location.kind === "database") return await readDatabase(location, egress);
    const version = (inForce?.version ?? 0) + 1;
    return { version, document: await loadCatalogFile(location.path, egress) };
  } catch (error) {
    if (error instanceof CatalogError) return { kind: "refused", problems: error.problems };
    const { message } = error as Error;
    if (error instanceof SchemaError) return { kind: "refused", problems: [message] };
    return { kind: "away", cause: message };
  }
}
