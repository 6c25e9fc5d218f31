import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseServer } from "./database-server.ts";
import { createFolder } from "./folder.ts";
import { missingMariadb, startMariadb } from "./mariadb.ts";
import { startPostgres } from "./postgres.ts";

/** Every database that a catalog can be kept in. */
export const DATABASES: readonly {
  name: string;
  start: () => Promise<DatabaseServer>;
  /** Why it cannot be tried on this machine. */
  missing?: string | undefined;
}[] = [
  { name: "SQLite", start: startSqlite },
  { name: "PostgreSQL", start: startPostgres },
  { name: "MariaDB", start: startMariadb, missing: missingMariadb() },
];

/** A folder of database files. Killing it takes the files away, starting it brings them back. */
async function startSqlite(): Promise<DatabaseServer> {
  const folder = createFolder();
  const unused = () => Promise.reject(new Error("SQLite has no server"));
  let databases = 0;
  return {
    createDatabase: async () => {
      const path = join(folder.dir, `catalog${++databases}.db`);
      await rm(path, { force: true });
      return `sqlite:${path}`;
    },
    kill: unused,
    start: unused,
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}
