import { join } from "node:path";
import { type DatabaseServer, startDatabaseServer } from "./database-server.ts";
import { PASSWORD } from "./postgres.ts";

const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;
const program = (...names: string[]) =>
  names.map((name) => Bun.which(name, { PATH })).find((path) => path !== null);

/** What to do where it is not installed; undefined where it is. */
export const missingMariadb = (): string | undefined =>
  program("mariadbd") && program("mariadb-install-db")
    ? undefined
    : "MariaDB is not installed; get it with: apt-get install mariadb-server";

/** @throws Error when it is not installed or does not start */
export async function startMariadb(): Promise<DatabaseServer> {
  const missing = missingMariadb();
  if (missing !== undefined) throw new Error(missing);
  const account = `ALTER USER root@localhost IDENTIFIED BY '${PASSWORD}';
    CREATE USER exchange@127.0.0.1 IDENTIFIED BY '${PASSWORD}';
    GRANT ALL ON *.* TO exchange@127.0.0.1;`;
  return startDatabaseServer({
    name: "mariadb",
    prepare(dir) {
      Bun.write(join(dir, "accounts.sql"), account);
      const quick = ["--auth-root-authentication-method=normal", "--skip-test-db"];
      return [program("mariadb-install-db")!, "--no-defaults", `--datadir=${dir}/data`, ...quick];
    },
    command: (dir, port) => [
      program("mariadbd")!,
      "--no-defaults",
      `--datadir=${dir}/data`,
      `--socket=${dir}/mariadb.sock`,
      `--pid-file=${dir}/mariadb.pid`,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      "--skip-name-resolve",
      "--innodb-flush-log-at-trx-commit=0",
      "--innodb-buffer-pool-size=64M",
      `--init-file=${dir}/accounts.sql`,
    ],
    killSignal: "SIGKILL",
    url: (port, database) => `mysql://exchange:${PASSWORD}@127.0.0.1:${port}/${database}`,
    ownDatabase: "mysql",
  });
}
