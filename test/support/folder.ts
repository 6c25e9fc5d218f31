import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of one test, deleted with what is in it at the end of its block. */
export function createFolder(): Disposable & { path(name: string): string; readonly dir: string } {
  const dir = mkdtempSync(join(tmpdir(), "test-folder-"));
  return {
    dir,
    path: (name) => join(dir, name),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
