import { probePort, RETRY_MS, takenMessage } from "./port-probe.ts";

/**
 * Takes a port for this process and those it starts. A probe alone would not do: of two copies that
 * start together both find it free, since neither listens yet. The kernel frees the claim when this
 * process ends, however it ends.
 * @param port    0 picks a free one
 * @param waitMs  how long to wait for a predecessor that is just leaving
 * @returns the port
 * @throws Error with a line for the user
 */
export async function claimPort(hostname: string, port: number, waitMs: number): Promise<number> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const probed = await probePort(hostname, port, Math.max(0, untilMs - performance.now()));
    // Elsewhere the name would be a file's.
    if (process.platform !== "linux" || hold(`exchange ${hostname}:${probed}`)) return probed;
    if (performance.now() >= untilMs) throw new Error(takenMessage(probed));
    await Bun.sleep(RETRY_MS);
  }
}

/**
 * Takes a name that one process of a network namespace may have: an abstract socket, see unix(7).
 * @returns false where another process has it; true also where there are no such sockets
 */
function hold(name: string): boolean {
  try {
    Bun.listen({ unix: `\0${name}`, socket: { data() {} } }).unref();
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== "EADDRINUSE";
  }
}
