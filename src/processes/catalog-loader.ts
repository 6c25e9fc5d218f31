import { stat } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import type { Subprocess } from "bun";
import { type LoadOrder, type LoadResult, loadCatalog } from "../catalog/load.ts";
import { parseLocation } from "../catalog/location.ts";

/** A file below this is read in a few milliseconds: no reason to start a process. */
const SMALL_BYTES_MAX = 2 ** 18;
/** Longest that a load takes; 100,000 supplies take a few seconds. */
const LOAD_MS_MAX = 120_000;

type Answer = { result: LoadResult } | { error: string };

/**
 * Loads a catalog in a process of its own, so that neither its size nor a fault of a database
 * driver is felt here. One that ends without an answer, as when the database has stood still until
 * its time was up, leaves nobody knowing what the catalog says.
 * @throws Error when the disk refuses
 */
export async function runLoad(order: LoadOrder): Promise<LoadResult> {
  if (await isSmallFile(order.catalog)) return loadCatalog(order);
  const answered = Promise.withResolvers<Answer>();
  const child = Bun.spawn([process.execPath, Bun.main, "catalog-loader"], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    serialization: "json",
    ipc: (message) => answered.resolve(message as Answer),
  });
  // Handed over this way, the password in it is on no command line.
  child.send(order);
  const timer = setTimeout(() => child.kill("SIGKILL"), LOAD_MS_MAX);
  const ended = child.exited.then(
    (): Answer => ({ result: { kind: "away", cause: describeEnd(child) } }),
  );
  const answer = await Promise.race([answered.promise, ended]);
  await child.exited;
  clearTimeout(timer);
  if ("error" in answer) throw new Error(answer.error);
  return answer.result;
}

const describeEnd = ({ exitCode, signalCode }: Subprocess) =>
  `its loader ended without an answer, ${signalCode ?? `status ${exitCode}`}`;

async function isSmallFile(catalog: string): Promise<boolean> {
  const location = parseLocation(catalog);
  if (location.kind !== "file") return false;
  return stat(location.path).then(
    ({ size }) => size < SMALL_BYTES_MAX,
    () => true, // It is away; to say so is quick.
  );
}

/** The process: one order, one answer. */
export function runCatalogLoader(): void {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL); // Bids come first.
  process.on("disconnect", () => process.exit(1)); // Nobody is left to tell.
  process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group: the supervisor decides.
  process.on("message", async (order: LoadOrder) => {
    const answer: Answer = await loadCatalog(order).then(
      (result) => ({ result }),
      (fault: Error) => ({ error: fault.message }),
    );
    process.send?.(answer, undefined, undefined, () => process.exit(0));
  });
}
