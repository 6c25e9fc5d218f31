import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";

/** A real SQL server of one test file, on a free port of this machine. */
export interface DatabaseServer extends AsyncDisposable {
  /** Of a new, empty database, with a password in it. */
  createDatabase(): Promise<string>;
  /** Ends the server as a crash does and keeps its data. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. Resolves when it accepts connections. */
  start(): Promise<void>;
}

export interface ServerProgram {
  /** Names its folder. */
  name: string;
  /** Runs in the folder before the first start. */
  prepare: (dir: string) => readonly string[];
  command: (dir: string, port: number) => readonly string[];
  /** Ends the server and all its processes at once, without an orderly end. */
  killSignal: "SIGQUIT" | "SIGKILL";
  url: (port: number, database: string) => string;
  /** The database that is there from the beginning. */
  ownDatabase: string;
}

/** That both servers refuse root for; Debian has it, and nothing belongs to it. */
const NOBODY = 65_534;

/** Run as nobody where this is root: database servers refuse to be root's. */
const asNobody = (command: readonly string[]) =>
  process.getuid?.() === 0
    ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", ...command]
    : [...command];

/**
 * Starts a server that cannot outlive this process, not even when that is killed.
 * @throws Error with its words when it does not start
 */
export async function startDatabaseServer(program: ServerProgram): Promise<DatabaseServer> {
  const dir = mkdtempSync(join(tmpdir(), `test-${program.name}-`));
  chmodSync(dir, 0o700);
  if (process.getuid?.() === 0) chownSync(dir, NOBODY, NOBODY);
  const env = { PATH: process.env.PATH ?? "", HOME: dir, TMPDIR: dir, LC_ALL: "C" };
  const prepared = Bun.spawnSync(asNobody(program.prepare(dir)), { cwd: dir, env });
  if (prepared.exitCode !== 0) {
    rmSync(dir, { recursive: true, force: true });
    throw new Error(`${program.name} cannot be set up:\n${prepared.stderr}`);
  }
  const port = freePort();
  let databases = 0;
  let server = launch();

  function launch() {
    const log = Bun.file(join(dir, "server.log"));
    const child = Bun.spawn(asNobody(program.command(dir, port)), {
      cwd: dir,
      env,
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
    // Reads a pipe that the kernel closes with this process, however that ends.
    const script = `cat > /dev/null; kill -s ${program.killSignal.slice(3)} "$1"; sleep 1; rm -rf "$2"`;
    const guard = Bun.spawn(["sh", "-c", script, "guard", String(child.pid), dir], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
    });
    child.unref();
    guard.unref();
    return { child, guard };
  }

  const hasEnded = () => server.child.exitCode !== null || server.child.signalCode !== null;

  async function answers(): Promise<boolean> {
    if (hasEnded()) throw new Error(`it ended:\n${readFileSync(join(dir, "server.log"))}`);
    const sql = new Bun.SQL(program.url(port, program.ownDatabase), { max: 1 });
    return sql`SELECT 1`.then(
      () => sql.close({ timeout: 0 }).then(() => true),
      () => false,
    );
  }

  async function untilReady(): Promise<void> {
    await until(`${program.name} accepts connections`, answers, 30_000);
  }

  async function createDatabase(): Promise<string> {
    const name = `catalog${++databases}`;
    const sql = new Bun.SQL(program.url(port, program.ownDatabase), { max: 1 });
    await sql.unsafe(`CREATE DATABASE ${name}`);
    await sql.close({ timeout: 0 });
    return program.url(port, name);
  }

  async function kill(): Promise<void> {
    server.guard.kill("SIGKILL");
    await server.guard.exited; // Else it might end another process that was given the same id.
    if (!hasEnded()) server.child.kill(program.killSignal);
    await server.child.exited;
  }

  async function start(): Promise<void> {
    server = launch();
    await untilReady();
  }

  async function dispose(): Promise<void> {
    await kill();
    rmSync(dir, { recursive: true, force: true });
  }

  try {
    await untilReady();
  } catch (error) {
    await dispose();
    throw error;
  }
  return { createDatabase, kill, start, [Symbol.asyncDispose]: dispose };
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
