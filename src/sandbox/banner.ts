import { buildCatalog } from "../catalog/catalog.ts";
import type { CatalogDocument } from "../catalog/document.ts";
import { writeBidCommand } from "../processes/bid-command.ts";
import type { Distribution } from "./distribution.ts";
import type { Profile } from "./profile.ts";
import type { RunningStub } from "./stub-processes.ts";

/** What is running, a line for each bidder. */
export function writeStubs(
  stubs: readonly RunningStub[],
  profiles: Readonly<Record<string, Profile>>,
  seed: number,
): string {
  const processes = new Set(stubs.map((stub) => stub.pid)).size;
  const rows = stubs.map(({ id, pid, url }) => [id, String(pid), url, describe(profiles[id]!)]);
  const head = ["bidder", "pid", "URL (/bid, /counters)", "behaviour"];
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const lines = [head, ...rows].map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)));
  return [
    "",
    `  Sandbox: ${stubs.length} bidders in ${processes} processes, seed ${seed}`,
    "",
    ...lines.map((cells) => `  ${cells.join("  ").trimEnd()}`),
    "",
    "",
  ].join("\n");
}

/** For the exchange that the sandbox has started. */
export function writeInvitation(url: string, catalog: CatalogDocument): string {
  return [
    "",
    "  Hold an auction and see why each bidder won, lost or was not there:",
    "",
    ...writeBidCommand(`${url}/bid?explain=1`, findBusiest(catalog)),
    "",
    "  Ctrl-C ends the exchange and the bidders.",
    "",
    "",
  ].join("\n");
}

/** For who has an exchange already. */
export function writeDirections(catalogPath: string): string {
  return [
    "  An exchange of your own bids with them like this:",
    "",
    `  CATALOG=${catalogPath} ALLOW_PRIVATE_BIDDERS=true EXPLAIN=true bun start`,
    "",
    "  Ctrl-C ends the bidders; --with-exchange starts an exchange as well.",
    "",
    "",
  ].join("\n");
}

function describe({ bid_probability, price, latency_ms, misbehaviours }: Profile): string {
  const troubles = Object.entries(misbehaviours);
  const words = troubles.map(([kind, probability]) => `${kind} ${percent(probability)}`);
  if (latency_ms !== 0) words.unshift(`after ${range(latency_ms)} ms`);
  const trouble = troubles.reduce((sum, [, probability]) => sum + probability, 0);
  if (trouble < 1) words.unshift(`bids ${percent(bid_probability)} at $ ${range(price)}`);
  return words.join(", ");
}

function range(distribution: Distribution): string {
  if (typeof distribution === "number") return String(distribution);
  if ("min" in distribution) return `${distribution.min}–${distribution.max}`;
  return `${distribution.median} (p99 ${distribution.p99})`;
}

const percent = (probability: number) => `${Math.round(probability * 100)} %`;

/** The supply and the country that most bidders compete for. */
function findBusiest(document: CatalogDocument): { supplyId: string; country: string } {
  let most = 0;
  let busiest = { supplyId: "supply1", country: "US" };
  for (const { id, eligible } of buildCatalog(document, 1).supplies.values()) {
    for (const [country, { length }] of eligible) {
      if (length <= most) continue;
      most = length;
      busiest = { supplyId: id, country };
    }
  }
  return busiest;
}
