import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
const POLL_MS = 20;
const LAST_WORDS_BYTES = 2_000;

/**
 * Reads a line for each process that begins (`+ pid`) or has ended (`- pid`). The kernel closes the
 * pipe when this process ends, however that happens; then it kills those that are left, and not
 * those that ended: their id may be another's by now. The workers of a killed service leave by
 * themselves; it waits for them before it deletes the folder.
 */
const GUARD = `
while read -r sign pid; do
  left=
  for one in $pids; do [ "$one" = "$pid" ] || left="$left $one"; done
  pids=$left
  [ "$sign" = + ] && pids="$pids $pid"
done
kill -9 $pids
sleep 2
rm -rf "$1"`;

interface ChildOptions {
  /** Names its folder and, in messages, the process. */
  name: string;
  command: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Matches what it prints once it is ready. */
  readyWhen: RegExp;
  /** Most milliseconds until then. */
  withinMs?: number;
}

export interface Child {
  readonly pid: number;
  /** The match of `readyWhen`. */
  readonly greeting: RegExpMatchArray;
  stop(): Promise<void>;
}

/** Processes that end together. */
export interface ChildGroup {
  /** Resolves when the process is ready. @throws Error with its last words when it ended before */
  start(options: ChildOptions): Promise<Child>;
  /** Ends all of the group, the youngest first. May be repeated. */
  stopAll(): Promise<void>;
}

/** The processes of this run. None of them outlives it, not even when it is killed. */
export interface Children {
  /** A folder of this run. */
  readonly dir: string;
  group(): ChildGroup;
  /** The end of what each of them has said, by name; none of those that were stopped. */
  lastWords(): Promise<readonly string[]>;
  /** Ends the processes of every group and deletes what they wrote. May be repeated. */
  stopAll(): Promise<void>;
}

export function createChildren(): Children {
  const dir = mkdtempSync(join(tmpdir(), "exchange-bench-"));
  const children: { child: Subprocess; name: string; logPath: string }[] = [];
  let started = 0;
  let stopping: Promise<void> | undefined;
  // Detached, like the children: a Ctrl-C reaches this process alone, which ends them in order.
  const guard = Bun.spawn(["sh", "-c", GUARD, "guard", dir], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  });
  guard.unref();

  async function start(options: ChildOptions, onSpawned: (stop: () => Promise<void>) => void) {
    const { name, command, env, readyWhen, withinMs = START_MS_MAX } = options;
    // The list of those to end is taken: nobody would end this one.
    if (stopping) throw new Error(`${name} is not started: all are being stopped`);
    const cwd = join(dir, `${name}-${started++}`);
    const logPath = join(cwd, "output.log");
    mkdirSync(cwd);
    // A file and no pipe: nobody has to read it while the load runs.
    const log = openSync(logPath, "a");
    const child = Bun.spawn([...command], {
      cwd, // An empty folder, so that no `.env` of the project has a say.
      env: { PATH: process.env.PATH ?? "", HOME: cwd, NODE_ENV: "production", ...env },
      stdin: "ignore",
      stdout: log,
      stderr: log,
      detached: true,
    });
    closeSync(log);
    children.push({ child, name, logPath });
    tellGuard("+", child);
    void child.exited.then(() => tellGuard("-", child));
    const stop = () => end(child, cwd);
    onSpawned(stop);

    const deadline = performance.now() + withinMs;
    for (;;) {
      if (!existsSync(logPath)) throw new Error(`${name} was stopped before it was ready`);
      const greeting = readFileSync(logPath, "utf8").match(readyWhen);
      if (greeting) return { pid: child.pid, greeting, stop };
      if (hasEnded(child) || performance.now() > deadline) {
        const words = await endOf(logPath);
        await stop(); // Its words are told here, and not once more by `lastWords`.
        throw new Error(`${name} did not start; it said:\n${words}`);
      }
      await Bun.sleep(POLL_MS);
    }
  }

  function tellGuard(sign: "+" | "-", { pid }: Subprocess): void {
    guard.stdin.write(`${sign} ${pid}\n`);
    guard.stdin.flush();
  }

  function group(): ChildGroup {
    const stops: (() => Promise<void>)[] = [];
    return {
      start: (options) => start(options, (stop) => stops.push(stop)),
      async stopAll() {
        for (const stop of stops.splice(0).reverse()) await stop();
      },
    };
  }

  function lastWords(): Promise<readonly string[]> {
    const unstopped = children.filter(({ logPath }) => existsSync(logPath));
    return Promise.all(
      unstopped.map(async ({ name, logPath }) => `${name} said last:\n${await endOf(logPath)}`),
    );
  }

  async function endAll(): Promise<void> {
    for (const { child } of children.splice(0).reverse()) await end(child);
    guard.kill("SIGKILL");
    await guard.exited;
    rmSync(dir, { recursive: true, force: true });
  }

  const stopAll = () => (stopping ??= endAll());
  return { dir, group, lastWords, stopAll };
}

const hasEnded = (child: Subprocess) => child.exitCode !== null || child.signalCode !== null;

/** Of a log that may be large. */
function endOf(path: string): Promise<string> {
  const log = Bun.file(path);
  return log.slice(Math.max(0, log.size - LAST_WORDS_BYTES)).text();
}

/** Its folder goes with it: the log of a scenario may be large. */
async function end(child: Subprocess, cwd?: string): Promise<void> {
  if (!hasEnded(child)) {
    child.kill("SIGTERM");
    const patience = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await child.exited;
    clearTimeout(patience);
  }
  if (cwd) rmSync(cwd, { recursive: true, force: true });
}
