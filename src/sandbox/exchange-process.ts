import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const POLL_MS = 50;
const START_MS_MAX = 30_000;
/** The exchange finishes by itself within ten seconds. */
const STOP_MS_MAX = 12_000;
/** Ends the exchange when the kernel closes this pipe, as this process is gone. */
const GUARD = 'cat > /dev/null; kill "$1"';

/** An exchange that this process has started; it ends with it. */
export interface ExchangeProcess {
  readonly pid: number;
  /** Settles when it has ended, with its exit status. */
  readonly ended: Promise<number>;
  /** Resolves when it has ended; may be repeated. */
  stop(): Promise<void>;
  /** Ends it in the middle of what it does. */
  kill(): void;
}

/**
 * Starts the exchange with the project's own command line; it writes where this process writes.
 * Resolves when it is ready.
 * @throws Error when it ends instead; it has said why
 */
export async function startExchangeProcess(
  environment: Readonly<Record<string, string | undefined>>,
  url: string,
): Promise<ExchangeProcess> {
  const child = Bun.spawn([process.execPath, MAIN, "serve"], {
    cwd: PROJECT,
    env: environment,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    // A Ctrl-C is for the sandbox: the exchange takes a second one for impatience.
    detached: true,
  });
  const guard = Bun.spawn(["sh", "-c", GUARD, "guard", String(child.pid)], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  });
  const ended = child.exited.finally(() => guard.kill("SIGKILL"));

  async function stop(): Promise<void> {
    child.kill("SIGTERM");
    const patience = setTimeout(kill, STOP_MS_MAX);
    await ended;
    clearTimeout(patience);
  }

  function kill(): void {
    child.kill("SIGKILL");
  }

  const untilMs = performance.now() + START_MS_MAX;
  while (!(await isReady(url))) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || performance.now() > untilMs) {
      kill();
      throw new Error("the exchange did not start");
    }
    await Bun.sleep(POLL_MS);
  }
  return { pid: child.pid, ended, stop, kill };
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(
    () => {},
  );
  return answer?.ok === true;
}
