import { writeFileSync } from "node:fs";
import type { BidderDocument, SupplyDocument } from "../../src/catalog/document.ts";
import type { Profile } from "../../src/sandbox/profile.ts";
import { type Environment, type Exchange, startExchange } from "./exchange.ts";
import { createFolder } from "./folder.ts";
import { workerOf } from "./ledger.ts";
import { formatRequest, openConnection } from "./raw-http.ts";
import { type Stubs, startStubs } from "./stubs.ts";

/** A row of `explain`, as the client sees it. */
export interface ExplainedBidder {
  readonly bidder: string;
  readonly state: "won" | "lost" | "no_bid" | "timeout" | "error" | "invalid" | "not_asked";
  readonly price: number | null;
  readonly reason: string;
}

/** An auction as its client sees it. */
export interface ExplainedAuction {
  readonly winner?: string;
  readonly price?: number;
  readonly code?: string;
  readonly explain: {
    readonly catalog_version: number;
    readonly tmax_ms: number;
    readonly elapsed_ms: number;
    readonly bidders: readonly ExplainedBidder[];
  };
  /** From the client's request to its answer. */
  readonly tookMs: number;
  /** Which worker answered. */
  readonly worker: string;
}

type Written = Readonly<Record<string, { profile: Partial<Profile>; entry?: BidderDocument }>>;
type Supplies = Readonly<Record<string, SupplyDocument>>;

/** An exchange whose bidders are stubs in processes of their own; all of them are in the US. */
export interface Bidding extends AsyncDisposable {
  readonly exchange: Exchange;
  readonly stubs: Stubs;
  /** Changes the catalog's supplies; the exchange reads it when it notices. */
  writeCatalog(supplies: Supplies): void;
  /** Auctions over this many connections, each with one at a time. */
  holdAuctions(count: number, options: AuctionOptions): Promise<ExplainedAuction[]>;
}

interface AuctionOptions {
  supplyOf: (n: number) => string;
  connections?: number;
  tmax?: number;
}

export interface BiddingOptions {
  bidders: Written;
  supplies: Supplies;
  env?: Environment;
  processes?: number;
}

export async function startBidding(options: BiddingOptions): Promise<Bidding> {
  const { bidders, supplies, env = {}, processes = 2 } = options;
  const folder = createFolder();
  const catalogPath = folder.path("catalog.json");
  const profiles = Object.entries(bidders).map(([id, { profile }]) => [id, profile]);
  const stubs = await startStubs(Object.fromEntries(profiles), { processes });
  writeCatalog(supplies);
  const exchange = await startExchange({
    env: {
      CATALOG: catalogPath,
      ALLOW_PRIVATE_BIDDERS: "true",
      EXPLAIN: "true",
      RATE_LIMIT_MAX_REQUESTS: "0",
      ...env,
    },
  });

  function writeCatalog(written: Supplies): void {
    const entries = Object.entries(bidders).map(([id, { entry }]) => {
      return [id, { country: "US", endpoint: stubs.endpoint(id), ...entry }];
    });
    const catalog = { supplies: written, bidders: Object.fromEntries(entries) };
    writeFileSync(catalogPath, JSON.stringify(catalog));
  }

  async function holdAuctions(
    count: number,
    { supplyOf, connections = 1, tmax }: AuctionOptions,
  ): Promise<ExplainedAuction[]> {
    const held: ExplainedAuction[] = [];
    let sent = 0;
    const run = async () => {
      const connection = await openConnection(exchange.port);
      while (sent < count) {
        const beganMs = performance.now();
        const answer = await connection.ask(formatAuction(supplyOf(sent++), tmax));
        const tookMs = performance.now() - beganMs;
        held.push({ ...JSON.parse(answer.body), tookMs, worker: workerOf(answer) });
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: connections }, run));
    return held;
  }

  return {
    exchange,
    stubs,
    writeCatalog,
    holdAuctions,
    async [Symbol.asyncDispose]() {
      await exchange[Symbol.asyncDispose]();
      await stubs[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** The bytes of a bid that asks why. */
export const formatAuction = (supplyId: string, tmax?: number) =>
  formatRequest({
    path: "/bid?explain=1",
    headers: { "Content-Type": "application/json", "X-Country": "US" },
    body: JSON.stringify({ supply_id: supplyId, ...(tmax !== undefined && { tmax }) }),
  });

/** How often each bidder ended in each state. */
export function statesOf(auctions: readonly ExplainedAuction[]) {
  const states = new Map<string, Map<ExplainedBidder["state"], number>>();
  for (const { explain } of auctions) {
    for (const { bidder, state } of explain.bidders) {
      const counts = states.get(bidder) ?? new Map<ExplainedBidder["state"], number>();
      states.set(bidder, counts.set(state, (counts.get(state) ?? 0) + 1));
    }
  }
  return states;
}
