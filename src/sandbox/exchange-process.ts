import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const START_MS_MAX = 30_000;
/** The exchange finishes by itself within ten seconds. */
const STOP_MS_MAX = 12_000;

/** An exchange that this process has started; it ends with it, however that ends. */
export interface ExchangeProcess {
  /** Settles when it has ended, with its exit status. */
  readonly ended: Promise<number>;
  /** Resolves when it has ended; may be repeated. */
  stop(): Promise<void>;
}

/**
 * Starts the exchange with the project's own command line; it writes where this process writes.
 * Resolves when it has said that it is open.
 * @throws Error when it ends instead; it has said why
 */
export async function startExchangeProcess(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ExchangeProcess> {
  const opened = Promise.withResolvers<boolean>();
  const child = Bun.spawn([process.execPath, MAIN, "serve"], {
    cwd: PROJECT,
    env: environment,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    // A Ctrl-C is for the sandbox: the exchange takes a second one for impatience.
    detached: true,
    // The exchange says that it is ready, and stops when the kernel closes the channel.
    serialization: "json",
    ipc: () => opened.resolve(true),
  });
  child.exited.then(() => opened.resolve(false));

  async function stop(): Promise<void> {
    child.kill("SIGTERM");
    const patience = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await child.exited;
    clearTimeout(patience);
  }

  const patience = setTimeout(() => opened.resolve(false), START_MS_MAX);
  const isOpen = await opened.promise;
  clearTimeout(patience);
  if (isOpen) return { ended: child.exited, stop };
  await stop();
  throw new Error("the exchange did not start");
}
