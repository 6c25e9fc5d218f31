import { join } from "node:path";

export const RING_LIMIT = { max: 3, windowMs: 60_000 };

/** A process that asks the windows in a file for each of so many clients, again and again. */
export function startRingProcess(path: string, clients: number, rounds: number) {
  const script = join(import.meta.dir, "ring-process.ts");
  const child = Bun.spawn([process.execPath, script, path, String(clients), String(rounds)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return {
    kill: () => child.kill("SIGKILL"),
    /** Admissions that each client got from this process; none where it was killed. */
    async granted(): Promise<number[]> {
      const text = await new Response(child.stdout).text();
      await child.exited;
      return text === "" ? [] : (JSON.parse(text) as number[]);
    },
  };
}
