import { fileURLToPath } from "node:url";
import type { Subprocess } from "bun";
import type { StubOrder } from "./stub-bidder.ts";
import type { StubReport } from "./stub-process.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const START_MS_MAX = 20_000;

/** Where a bidder is played. */
export interface RunningStub {
  readonly id: string;
  readonly pid: number;
  /** Without a path: `/bid` takes bid requests, `/counters` tells what came. */
  readonly url: string;
}

/** Processes that play bidders; none of them outlives this one. */
export interface StubProcesses {
  /** In the order of the orders. */
  readonly stubs: readonly RunningStub[];
  /** Settles when one of them has ended that was not told to. */
  readonly failed: Promise<Error>;
  /** Resolves when all have ended. May be repeated. */
  stop(): Promise<void>;
}

/**
 * Plays bidders in processes of their own, one after the other in each.
 * @param processes  how many; never more than bidders
 * @throws Error with the words of one that could not start
 */
export async function startStubProcesses(
  orders: readonly StubOrder[],
  processes: number,
): Promise<StubProcesses> {
  const count = Math.min(processes, orders.length);
  const shares = Array.from({ length: count }, (_, i) =>
    orders.filter((_order, place) => place % count === i),
  );
  const children: Subprocess[] = [];
  const failure = Promise.withResolvers<Error>();
  let isStopping = false;

  async function start(share: readonly StubOrder[]): Promise<RunningStub[]> {
    const reported = Promise.withResolvers<StubReport>();
    const child = Bun.spawn([process.execPath, MAIN, "stubs"], {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      serialization: "json",
      // A Ctrl-C is for the sandbox, which ends them when nobody asks them any more.
      detached: true,
      ipc: (message) => reported.resolve(message as StubReport),
    });
    children.push(child);
    child.exited.then((code) => {
      const failed = `stub process ${child.pid} ended with status ${code}`;
      reported.resolve({ failed });
      if (!isStopping) failure.resolve(new Error(failed));
    });
    child.send(share);
    const timer = setTimeout(() => reported.resolve({ failed: "it took too long" }), START_MS_MAX);
    const report = await reported.promise;
    clearTimeout(timer);
    if ("failed" in report) throw new Error(`stub bidders did not start: ${report.failed}`);
    return share.map(({ id }, place) => {
      return { id, pid: child.pid, url: `http://127.0.0.1:${report.ports[place]}` };
    });
  }

  async function stop(): Promise<void> {
    isStopping = true;
    for (const child of children) child.kill("SIGKILL"); // They have nothing to finish.
    await Promise.all(children.map((child) => child.exited));
  }

  try {
    const started = new Map<string, RunningStub>();
    for (const stub of (await Promise.all(shares.map(start))).flat()) started.set(stub.id, stub);
    return { stubs: orders.map(({ id }) => started.get(id)!), failed: failure.promise, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
