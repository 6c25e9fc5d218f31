import type { HeldAuction } from "../auction/auctioneer.ts";
import { MICROS } from "../auction/clearing.ts";
import { explain } from "../auction/explanation.ts";

/** Why an auction ended as it did, as JSON: one row for each bidder of the supply. */
export function writeExplanation(held: HeldAuction): string {
  const { supply, auctionId, catalogVersion, tmaxMs, elapsedMs } = held;
  return JSON.stringify({
    auction_id: auctionId,
    catalog_version: catalogVersion,
    auction: supply.auction,
    floor: supply.floorMicros / MICROS,
    tmax_ms: tmaxMs,
    elapsed_ms: toTenths(elapsedMs),
    bidders: explain(held).map((row) => ({
      bidder: row.bidderId,
      state: row.state,
      code: row.code,
      price: row.priceMicros === null ? null : row.priceMicros / MICROS,
      latency_ms: row.latencyMs === null ? null : toTenths(row.latencyMs),
      reason: row.reason,
    })),
  });
}

const toTenths = (ms: number) => Math.round(ms * 10) / 10;
