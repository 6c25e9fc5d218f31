import { join, resolve } from "node:path";
import { ConfigSchema } from "../../src/config.ts";
import { createFolder } from "./folder.ts";
import {
  childrenOf,
  commandOf,
  guardProcess,
  isRunning,
  type ProcessRef,
  processOf,
} from "./processes.ts";
import { until } from "./until.ts";

const ROOT = resolve(import.meta.dir, "../..");
const MAIN = join(ROOT, "src/main.ts");
const START_MS_MAX = 20_000;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A copy of the service: a supervisor and its workers, real processes on a port of their own. */
export interface Exchange extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of the supervisor. */
  readonly pid: number;
  readonly dataDir: string;
  /** Everything printed so far. */
  stdout(): string;
  stderr(): string;
  /** How often a text was printed to the standard output so far. */
  printed(text: string): number;
  workerPids(): number[];
  /** Signals the supervisor. */
  kill(signal: NodeJS.Signals): void;
  /** Settles when the supervisor has ended. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, and waits for the end of it. */
  stop(): Promise<Exit>;
  /** Resolves when no process of this copy is left. @throws Error with the ids of those left */
  leavesNobody(mostMs?: number): Promise<void>;
}

export interface ExchangeOptions {
  /** Settings. Those not named here have their default, whatever this process was given. */
  env?: Environment;
  args?: readonly string[];
  /** Kept at the end; without it the copy has a folder of its own, which goes with it. */
  dataDir?: string;
  /** Put before the command line, such as a program that makes a namespace. */
  wrapper?: readonly string[];
}

/**
 * Starts the service and resolves when it is open. The caller disposes of it: that ends every
 * process of it by its recorded id, whatever the test has done to them.
 * @throws Error with what it printed, when it ends instead
 */
export async function startExchange(options: ExchangeOptions = {}): Promise<Exchange> {
  const { env = {}, args = [], wrapper = [] } = options;
  const folder = createFolder();
  const dataDir = options.dataDir ?? folder.dir;
  const child = Bun.spawn([...wrapper, process.execPath, MAIN, "serve", ...args], {
    cwd: ROOT,
    env: environment({ PORT: "0", HOST: "127.0.0.1", DATA_DIR: dataDir, ...env }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const guard = guardProcess(child.pid);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const seen = new Map<number, ProcessRef>();
  note(processOf(child.pid));
  let hasExited = false;
  const exited = child.exited.then((): Exit => {
    hasExited = true;
    guard.kill("SIGKILL");
    return exitOf(child);
  });

  const banner = / is open on (http:\/\/\S+:(\d+)) /;
  try {
    const isOpenOrOver = () => hasExited || banner.test(stdout());
    await until("the banner of the exchange", isOpenOrOver, START_MS_MAX);
    if (!banner.test(stdout())) throw new Error("the exchange did not start");
  } catch (error) {
    await dispose();
    throw new Error(`${(error as Error).message}:\n${stdout()}\n${stderr()}`);
  }
  const [, url, port] = banner.exec(stdout())!;
  const pid = wrapper.length === 0 ? child.pid : childrenOf(child.pid)[0]!.pid;
  note(processOf(pid));
  workerPids();

  function note(ref: ProcessRef | undefined): void {
    if (ref) seen.set(ref.pid, ref);
  }

  function workerPids(): number[] {
    const children = childrenOf(pid);
    for (const child of children) note(child);
    // A large catalog, or a database, is read by a process that ends with that.
    return children.map((child) => child.pid).filter((id) => commandOf(id).at(-1) === "worker");
  }

  function kill(signal: NodeJS.Signals): void {
    workerPids(); // Those it has now are looked for at the end.
    process.kill(pid, signal);
  }

  async function stop(): Promise<Exit> {
    if (!hasExited) kill("SIGTERM");
    return exited;
  }

  const left = () => [...seen.values()].filter(isRunning).map((ref) => ref.pid);

  async function leavesNobody(mostMs = 6_000): Promise<void> {
    try {
      await until("no process left", () => left().length === 0, mostMs);
    } catch {
      throw new Error(`processes left after ${mostMs} ms: ${left().join(", ")}`);
    }
  }

  async function dispose(): Promise<void> {
    // Stopped from the top, so that nobody is replaced meanwhile.
    for (const ref of seen.values()) {
      for (const child of isRunning(ref) ? childrenOf(ref.pid) : []) note(child);
      if (isRunning(ref)) process.kill(ref.pid, "SIGKILL");
    }
    await child.exited;
    folder[Symbol.dispose]();
  }

  return {
    url: url!,
    port: Number(port),
    pid,
    dataDir,
    stdout,
    stderr,
    printed: (text) => stdout().split(text).length - 1,
    workerPids,
    kill,
    exited,
    stop,
    leavesNobody,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Runs one command of the command line to its end. */
export async function runExchange(
  args: readonly string[],
  options: { env?: Environment; cwd?: string; wrapper?: readonly string[] } = {},
): Promise<Exit & { stdout: string; stderr: string }> {
  const { wrapper = [] } = options;
  const child = Bun.spawn([...wrapper, process.execPath, MAIN, ...args], {
    cwd: options.cwd ?? ROOT,
    env: environment(options.env ?? {}),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  return { ...exitOf(child), stdout, stderr };
}

const exitOf = ({ exitCode, signalCode }: Bun.Subprocess): Exit => ({
  code: exitCode,
  signal: signalCode as string | null,
});

/** A setting that is there but empty counts as not set, and hides the one in `.env`. */
function environment(given: Environment): Record<string, string | undefined> {
  const unset = Object.keys(ConfigSchema.properties).map((name) => [name, ""]);
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR, ...Object.fromEntries(unset), ...given };
}

/** Reads a pipe to its end; the function answers with what has come so far. */
function collect(pipe: ReadableStream<Uint8Array>): () => string {
  let text = "";
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const chunk of pipe) text += decoder.decode(chunk, { stream: true });
  };
  read().catch(() => {});
  return () => text;
}
