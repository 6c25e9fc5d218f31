import type { LatencyRange } from "../latency-range.ts";
import { type Bidder, type BidResponse, NO_BID } from "./bidder.ts";
import { CENT_MICROS } from "./clearing.ts";

export interface SimulationOptions {
  /** Chance to decline, 0 to 1. */
  noBidProbability: number;
  /** 0 and 0: answers at once. */
  latency: LatencyRange;
  /** Whether auctions wait for it. */
  isAwaited?: boolean;
  /** Milliseconds; an answer that would take longer is a timeout. */
  timeoutMs?: number;
  /** Uniform in [0, 1). */
  random?: () => number;
  wait?: (ms: number) => Promise<void>;
}

/** A bidder that declines by chance, else bids 0.01 to 1.00, uniform in whole cents. */
export function createSimulatedBidder(id: string, options: SimulationOptions): Bidder {
  const { noBidProbability, latency, random = Math.random, wait = Bun.sleep } = options;
  const { isAwaited = true, timeoutMs = Number.POSITIVE_INFINITY } = options;
  const { leastMs, mostMs } = latency;

  function decide(): BidResponse {
    if (random() < noBidProbability) return NO_BID;
    return { kind: "bid", priceMicros: (1 + Math.floor(random() * 100)) * CENT_MICROS };
  }

  async function decideLater(): Promise<BidResponse> {
    const latencyMs = leastMs + random() * (mostMs - leastMs);
    await wait(Math.min(latencyMs, timeoutMs));
    if (latencyMs <= timeoutMs) return decide();
    return { kind: "timeout", reason: `no answer within ${timeoutMs} ms` };
  }

  return { id, isAwaited, bid: mostMs > 0 ? decideLater : decide };
}
