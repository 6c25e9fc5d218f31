import { Database } from "bun:sqlite";
import { join } from "node:path";

/**
 * Takes a folder for this process. The kernel frees it when the process ends, however it ends;
 * SQLite brings the lock on every platform.
 * @throws Error with a line for the user, when another process has it or the disk refuses
 */
export function lockFolder(dir: string): () => void {
  let db: Database | undefined;
  try {
    db = new Database(join(dir, "lock.sqlite"), { create: true });
    db.run("PRAGMA journal_mode = DELETE");
    db.run("BEGIN EXCLUSIVE");
    return () => db!.close();
  } catch (cause) {
    db?.close();
    const isBusy = (cause as { code?: string }).code?.startsWith("SQLITE_BUSY") ?? false;
    const why = isBusy ? "is in use by another exchange" : `cannot be used: ${cause}`;
    throw new Error(`DATA_DIR ${dir} ${why}. Try another DATA_DIR`, { cause });
  }
}
