import type { Bidder } from "../auction/bidder.ts";
import { createSimulatedBidder, type SimulationOptions } from "../auction/simulated-bidder.ts";
import type { CatalogBidder } from "../catalog/catalog.ts";
import { parseLatencyRange } from "../latency-range.ts";
import type { Logger } from "../log.ts";
import { createBidRequestWriter, type DeviceIp } from "./bid-request.ts";
import { createHttpBidder, type HttpBidderOptions } from "./http-bidder.ts";

export interface BidderSettings extends Pick<HttpBidderOptions, "egress" | "workers" | "priceMax"> {
  /** For simulated bidders whose entry says nothing else. */
  simulation: Pick<SimulationOptions, "noBidProbability" | "latency">;
  deviceIp: DeviceIp;
}

/** Makes the bidder of a catalog entry: behind HTTP where it has an endpoint, else simulated. */
export function createBidderOpener(
  settings: BidderSettings,
  logger: Pick<Logger, "warn" | "info">,
): (entry: CatalogBidder) => Bidder {
  const { simulation, deviceIp, ...rest } = settings;
  const writer = createBidRequestWriter(deviceIp);

  return (entry) => {
    if (entry.settings.endpoint === undefined) return simulate(entry, simulation);
    return createHttpBidder(entry, {
      ...rest,
      writer,
      onChange: (cause) =>
        cause
          ? logger.warn({ bidder: entry.id, cause }, "bidder is not asked")
          : logger.info({ bidder: entry.id }, "bidder is asked again"),
    });
  };
}

function simulate(
  { id, settings }: CatalogBidder,
  { noBidProbability, latency }: BidderSettings["simulation"],
): Bidder {
  const { no_bid_probability: probability, latency_ms: range, timeout_ms: timeoutMs } = settings;
  return createSimulatedBidder(id, {
    noBidProbability: probability ?? noBidProbability,
    latency: range === undefined ? latency : parseLatencyRange(range),
    isAwaited: settings.wait ?? true,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
}
