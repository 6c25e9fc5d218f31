import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DatabaseServer, startDatabaseServer } from "./database-server.ts";

/** Part of every URL of a test database, so that a test can look for it where it must not be. */
export const PASSWORD = "s3cret-pa55";

/** Debian keeps the server's programs out of PATH. */
const FOLDERS = [15, 16, 17, 14].map((version) => `/usr/lib/postgresql/${version}/bin`);

/** @throws Error when it is not installed or does not start */
export async function startPostgres(): Promise<DatabaseServer> {
  const PATH = `${process.env.PATH}:${FOLDERS.join(":")}`;
  const initdb = Bun.which("initdb", { PATH });
  const postgres = Bun.which("postgres", { PATH });
  if (!initdb || !postgres) {
    throw new Error("PostgreSQL is not installed; get it with: apt-get install postgresql");
  }
  return startDatabaseServer({
    name: "postgres",
    prepare(dir) {
      writeFileSync(join(dir, "password"), `${PASSWORD}\n`);
      chmodSync(join(dir, "password"), 0o644);
      const access = ["--username=exchange", "--auth=scram-sha-256", "--pwfile=password"];
      return [initdb, "--pgdata=data", ...access, "--encoding=UTF8", "--locale=C", "--no-sync"];
    },
    command(dir, port) {
      const settings = {
        port: String(port),
        listen_addresses: "127.0.0.1",
        unix_socket_directories: dir,
        fsync: "off",
      };
      const pairs = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
      return [postgres, "-D", "data", ...pairs];
    },
    killSignal: "SIGQUIT",
    url: (port, database) => `postgres://exchange:${PASSWORD}@127.0.0.1:${port}/${database}`,
    ownDatabase: "postgres",
  });
}
