/** Between two tries. */
export const RETRY_MS = 100;

/**
 * Makes sure that nobody listens on the port, by listening alone for a moment: with reusePort a
 * second copy would join silently and take its share of the requests.
 * @param port    0 picks a free one
 * @param waitMs  how long to wait for a predecessor that is just leaving
 * @returns the port
 * @throws Error with a line for the user
 */
export async function probePort(hostname: string, port: number, waitMs: number): Promise<number> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    try {
      const server = Bun.serve({ hostname, port, fetch: () => new Response(null) });
      const { port: probed } = server;
      await server.stop(true);
      return probed!;
    } catch (cause) {
      const isTaken = (cause as { code?: string }).code === "EADDRINUSE";
      if (!isTaken) throw new Error(`cannot listen on ${hostname}:${port}: ${cause}`, { cause });
      if (performance.now() >= untilMs) throw new Error(takenMessage(port), { cause });
      await Bun.sleep(RETRY_MS);
    }
  }
}

/** A line for the user. */
export function takenMessage(port: number): string {
  const another = `PORT=${(port % 65_535) + 1} DATA_DIR=.data-2 bun start`;
  return `port ${port} is already in use (another exchange?). Try ${another}`;
}
