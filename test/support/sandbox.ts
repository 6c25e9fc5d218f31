import { resolve } from "node:path";
import { createFolder } from "./folder.ts";
import { childrenOf, guardProcess, isRunning, type ProcessRef, processOf } from "./processes.ts";
import { until } from "./until.ts";

const ROOT = resolve(import.meta.dir, "../..");
const MAIN = resolve(ROOT, "src/sandbox/main.ts");

interface SandboxExit {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `bun run sandbox` without the `bun run`: a real process, and all that it has started. */
export interface Sandbox extends AsyncDisposable {
  readonly pid: number;
  /** Everything printed so far. */
  stdout(): string;
  /** Resolves when the sandbox has printed this. @throws Error when it ends instead */
  hasPrinted(text: string | RegExp): Promise<void>;
  /** The processes of it that run now, without the sandbox itself; their ends are watched. */
  descendants(): ProcessRef[];
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<SandboxExit>;
  /** Resolves when no process of it is left that was ever seen. */
  leavesNobody(): Promise<void>;
}

export function startSandbox(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Sandbox {
  const folder = createFolder(); // A killed sandbox leaves what it had there.
  const { PATH, HOME } = process.env;
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: ROOT,
    env: { PATH, HOME, TMPDIR: folder.dir, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const guard = guardProcess(child.pid);
  const seen = new Map<number, ProcessRef>();
  let stdout = "";
  let hasEnded = false;
  const stderr = child.stderr.text();
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) stdout += decoder.decode(chunk, { stream: true });
  };
  const reading = read();
  const exited = child.exited.then(async (code): Promise<SandboxExit> => {
    hasEnded = true;
    guard.kill("SIGKILL");
    await reading; // To its end, which is that of the last process that writes there.
    return { code, stdout, stderr: await stderr };
  });

  async function hasPrinted(text: string | RegExp): Promise<void> {
    const isPrinted = () => stdout.match(text) !== null;
    await until(`${text}`, () => isPrinted() || hasEnded, 30_000);
    if (!isPrinted()) throw new Error(`the sandbox ended:\n${stdout}\n${(await exited).stderr}`);
  }

  function descendants(): ProcessRef[] {
    const found = descendantsOf(child.pid);
    for (const ref of found) seen.set(ref.pid, ref);
    return found;
  }

  const left = () => [...seen.values()].filter(isRunning);

  async function dispose(): Promise<void> {
    const self = processOf(child.pid);
    const found = [...(self ? [self] : []), ...(hasEnded ? [] : descendants()), ...left()];
    for (const ref of found) if (isRunning(ref)) process.kill(ref.pid, "SIGKILL");
    await exited;
    folder[Symbol.dispose]();
  }

  return {
    pid: child.pid,
    stdout: () => stdout,
    hasPrinted,
    descendants,
    kill: (signal) => void process.kill(child.pid, signal),
    exited,
    leavesNobody: () => until("no process left", () => left().length === 0),
    [Symbol.asyncDispose]: dispose,
  };
}

function descendantsOf(pid: number): ProcessRef[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child.pid)]);
}
