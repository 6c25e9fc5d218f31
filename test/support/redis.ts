import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_ATTEMPTS = 5;

/** A real Redis of one test file, on a free port of this machine, with a folder of its own. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of the server that runs now: `restart` and `start` change it. */
  readonly pid: number;
  /** Holds what the server persists. Nothing is persisted unless the arguments ask for it. */
  readonly dir: string;
  /** What the server has printed since it was last started. */
  log(): string;
  /** Ends the server and keeps its folder. Resolves when the process is gone. */
  kill(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it again on the same port and folder. Resolves when it accepts connections. */
  start(): Promise<void>;
  /** `kill`, then `start`. `isEmptied` deletes what was persisted in between. */
  restart(options?: { signal?: "SIGKILL" | "SIGTERM"; isEmptied?: boolean }): Promise<void>;
  /** Ends the server and deletes its folder. May be repeated. */
  stop(): Promise<void>;
}

/**
 * Starts a Redis that cannot outlive this process, not even when that is killed.
 * @param args  more of its command line, such as "--appendonly", "yes"; they win over ours
 * @throws Error when redis-server is missing or does not start
 */
export async function startRedis(...args: string[]): Promise<TestRedis> {
  const program = Bun.which("redis-server");
  if (!program) {
    throw new Error("redis-server is not on PATH; get it with: apt-get install redis-server");
  }
  const dir = mkdtempSync(join(tmpdir(), "test-redis-"));
  const launch = (port: number) => launchServer([program, ...ownArgs(port, dir), ...args], dir);

  let port = freePort();
  let server = await launch(port);
  // Another process may have taken the port since it was looked up.
  for (let attempt = 1; !server.isReady && attempt < START_ATTEMPTS; attempt++) {
    port = freePort();
    server = await launch(port);
  }
  if (!server.isReady) {
    rmSync(dir, { recursive: true, force: true });
    throw new Error(`redis-server did not start:\n${server.log()}`);
  }

  async function start(): Promise<void> {
    mkdirSync(dir, { recursive: true });
    server = await launch(port);
    if (!server.isReady) throw new Error(`redis-server did not start again:\n${server.log()}`);
  }

  async function restart({
    signal,
    isEmptied,
  }: {
    signal?: "SIGKILL" | "SIGTERM";
    isEmptied?: boolean;
  } = {}) {
    await server.kill(signal);
    if (isEmptied) rmSync(dir, { recursive: true, force: true });
    await start();
  }

  async function stop(): Promise<void> {
    await server.kill();
    rmSync(dir, { recursive: true, force: true });
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return server.pid;
    },
    log: () => server.log(),
    kill: (signal) => server.kill(signal),
    start,
    restart,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function ownArgs(port: number, dir: string): string[] {
  const settings = { port: String(port), bind: "127.0.0.1", dir, save: "", appendonly: "no" };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

interface Server {
  readonly pid: number;
  readonly isReady: boolean;
  log(): string;
  kill(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** Resolves when the server accepts connections, or has ended without. */
async function launchServer(command: string[], dir: string): Promise<Server> {
  const server = Bun.spawn(command, {
    cwd: dir,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  // Reads a pipe that the kernel closes with this process, however that ends.
  const guard = Bun.spawn(
    ["sh", "-c", 'cat > /dev/null; kill -9 "$1"; rm -rf "$2"', "guard", String(server.pid), dir],
    { stdin: "pipe", stdout: "ignore", stderr: "ignore" },
  );
  server.unref();
  guard.unref();

  let log = "";
  const isReady = await new Promise<boolean>((resolve) => {
    const read = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of server.stdout) {
        log += decoder.decode(chunk, { stream: true });
        if (log.includes("Ready to accept connections")) resolve(true);
      }
      resolve(false);
    };
    read().catch(() => resolve(false));
  });

  async function kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    guard.kill("SIGKILL");
    await guard.exited; // Else it might end another process that was given the same id.
    if (server.exitCode === null && server.signalCode === null) server.kill(signal);
    await server.exited;
  }

  if (!isReady) await kill();
  return { pid: server.pid, isReady, log: () => log, kill };
}
