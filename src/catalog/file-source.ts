import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { mask } from "../mask.ts";
import { type CatalogDocument, CatalogError, validateCatalog } from "./document.ts";
import type { EgressRule } from "./egress.ts";

/**
 * Reads and validates a catalog file.
 * @param egress  whom bidders' endpoints may mean: without it only public addresses
 * @throws CatalogError when the file is away, is not JSON or breaks a rule
 */
export async function loadCatalogFile(path: string, egress?: EgressRule): Promise<CatalogDocument> {
  const shown = mask("CATALOG", path); // It may be the URL of a database, misspelt.
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new CatalogError([`${shown}: ${(cause as Error).message.replaceAll(path, shown)}`]);
  }
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (cause) {
    throw new CatalogError([`${shown}: not JSON: ${(cause as Error).message}`]);
  }
  return validateCatalog(input, egress);
}

/** Quiet time after a change, so that a file written in pieces is read once, whole. */
const SETTLE_MS = 50;

/**
 * Calls back some 50 ms after the file was written, replaced or renamed into place. Watches the
 * folder, since a rename replaces the file that a watch would hold.
 * @returns a function that ends the watch
 */
export function watchCatalogFile(path: string, onChange: () => void): () => void {
  const name = basename(path);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(resolve(path)), (_event, changed) => {
      // A name that begins with two dots is a mounted folder that was swapped (Kubernetes).
      const isOther = changed !== null && changed !== name && !changed.startsWith("..");
      if (isOther) return;
      clearTimeout(timer);
      timer = setTimeout(onChange, SETTLE_MS);
    });
    watcher.on("error", () => watcher?.close());
  } catch {
    // A folder that cannot be watched leaves SIGHUP.
  }
  return () => {
    clearTimeout(timer);
    watcher?.close();
  };
}
