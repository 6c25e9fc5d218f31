import { renameSync } from "node:fs";
import type { CatalogDocument } from "../src/catalog/document.ts";
import type { BenchCatalog } from "./catalogs.ts";
import { type Load, runLoad } from "./load.ts";
import type { Figures } from "./measure.ts";
import type { Act } from "./scenario.ts";
import type { Target } from "./target.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

/** Far below what the workers can do: an answer waits for nothing but a pause of its worker. */
const RATE = 1_000;
/** Enough that every worker has some; the kernel deals them out. */
const CONNECTIONS = 32;
const RELOAD_SECONDS_MAX = 60;
const CALM_MS = 500;
/** Pauses that follow the swap, such as a collection of the old catalog. */
const AFTERMATH_SECONDS_MAX = 2;
/** So many new connections in a row that know the new supply: every worker has it. */
const KNOWING_IN_A_ROW = 24;
const ASK_EVERY_MS = 50;
const ANSWER_MS_MAX = 10_000;
const NEW_SUPPLY = "supply-of-the-new-file";

/**
 * The longest pause of any worker while its catalog is replaced, seen from outside: the slowest
 * answer to a light, steady load, counted from the time that the request was due. The same without
 * a reload says how much of that is due to the machine.
 * @throws Error when the new catalog does not arrive, or answers are lost on the way
 */
export async function measureReload({ target, catalog }: Act, seconds: number): Promise<Figures> {
  const traffic = createTraffic({ catalog, clients: "distinct" });
  traffic.take(50_000_000); // Not the addresses of the load before.
  const newPath = await writeNewCatalog(catalog);
  Bun.gc(true); // To collect that catalog takes 100 ms, which would count as a pause of a worker.
  const quiet = await runSteady(target, traffic, seconds);
  const done = new AbortController();
  const [busy, reloadMs] = await Promise.all([
    runSteady(target, traffic, RELOAD_SECONDS_MAX, done.signal),
    reload(target, newPath, catalog.path, seconds).finally(() => done.abort()),
  ]);
  const lost = [...busy.answers].filter(([kind]) => !["200", "no_bids"].includes(kind));
  if (lost.length > 0) {
    const kinds = lost.map(([kind, count]) => `${count} ${kind}`).join(", ");
    const [longest, took] = [busy.maxUs / 1000, reloadMs / 1000].map(Math.round);
    throw new Error(`reload in ${took} s, longest answer ${longest} ms, but ${kinds}`);
  }
  return {
    "longest answer ms": quiet.maxUs / 1000,
    "longest answer during a reload ms": busy.maxUs / 1000,
    "reload until every worker has it ms": reloadMs,
  };
}

async function runSteady(
  { url }: Target,
  traffic: Traffic,
  seconds: number,
  signal?: AbortSignal,
): Promise<Load> {
  return runLoad({ url, connections: CONNECTIONS, seconds, traffic, rate: RATE, signal });
}

/** Before the load, since it holds up our own loop. */
async function writeNewCatalog({ path, offers }: BenchCatalog): Promise<string> {
  const document: CatalogDocument = await Bun.file(path).json();
  document.supplies[NEW_SUPPLY] = document.supplies[offers[0]!.supplyId]!;
  await Bun.write(`${path}.new`, JSON.stringify(document));
  return `${path}.new`;
}

/** @returns milliseconds until new connections know the supply that the new file adds */
async function reload(
  { url }: Target,
  newPath: string,
  path: string,
  seconds: number,
): Promise<number> {
  await Bun.sleep(CALM_MS);
  renameSync(newPath, path);
  const beganMs = performance.now();
  for (let knowing = 0; knowing < KNOWING_IN_A_ROW; ) {
    if (performance.now() - beganMs > RELOAD_SECONDS_MAX * 1000) {
      throw new Error("the new catalog did not arrive");
    }
    const isKnown = await knowsNewSupply(url);
    knowing = isKnown ? knowing + 1 : 0;
    if (!isKnown) await Bun.sleep(ASK_EVERY_MS);
  }
  const tookMs = performance.now() - beganMs;
  await Bun.sleep(Math.min(AFTERMATH_SECONDS_MAX, seconds) * 1000);
  return tookMs;
}

/** A connection that breaks says that a worker has ended; the load tells what that has cost. */
async function knowsNewSupply(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/bid`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-country": "US" },
    body: JSON.stringify({ supply_id: NEW_SUPPLY }),
    keepalive: false,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  }).catch(() => undefined);
  const body = await answer?.text().catch(() => undefined);
  return body !== undefined && !body.includes("unknown_supply");
}
