import ipaddr from "ipaddr.js";
import type { Config } from "./config.ts";
import { parseLatencyRange } from "./latency-range.ts";

/** Whom bidders' endpoints may mean. */
export const egressRule = (config: Config) => ({
  allowPrivate: config.ALLOW_PRIVATE_BIDDERS === "true",
});

/** The CIDR ranges of TRUSTED_PROXIES; a bare address is a range of one. */
export function trustedRanges(config: Config): string[] {
  const ranges = config.TRUSTED_PROXIES.split(",").map((range) => range.trim());
  return ranges
    .filter((range) => range !== "")
    .map((range) => {
      if (ipaddr.IPv4.isValidFourPartDecimal(range)) return `${range}/32`;
      return ipaddr.IPv6.isValid(range) ? `${range}/128` : range;
    });
}

/** The limiter's setting, as the stores take it; max 0 is off. */
export const windowLimit = (config: Config) => ({
  max: config.RATE_LIMIT_MAX_REQUESTS,
  windowMs: config.RATE_LIMIT_WINDOW_SECONDS * 1000,
});

/** The Redis to use, or undefined for the embedded store. */
export function redisUrl(config: Config): string | undefined {
  if (config.REDIS_URL !== "") return config.REDIS_URL;
  if (config.REDIS_HOST === "") return undefined;
  return `redis://${inUrl(config.REDIS_HOST)}:${config.REDIS_PORT}`;
}

/**
 * Where the service is reached from this host.
 * @param port        the one it has got, where the setting picks any
 * @param ownAddress  what this host is called where the service listens on all of its addresses
 */
export function ownUrl({ HOST }: Config, port: number, ownAddress: string): string {
  const host = ["0.0.0.0", "::"].includes(HOST) ? ownAddress : inUrl(HOST);
  return `http://${host}:${port}`;
}

const inUrl = (host: string) => (host.includes(":") ? `[${host}]` : host);

/** Whether the limiter's windows are in the memory of this host. */
export const keepsWindows = (config: Config) =>
  redisUrl(config) === undefined && config.RATE_LIMIT_MAX_REQUESTS > 0;

/** Each how manyth auction is logged; 0: none. */
export const auctionLogEvery = ({ LOG_AUCTIONS: setting }: Config) =>
  setting === "all" ? 1 : Number(setting.split("/")[1] ?? 0);

/** What bidders are made with. */
export const bidderSettings = (config: Config) => ({
  simulation: {
    noBidProbability: config.NO_BID_PROBABILITY,
    latency: parseLatencyRange(config.BIDDER_LATENCY_MS),
  },
  egress: egressRule(config),
  workers: config.WORKERS,
  priceMax: config.BID_PRICE_MAX,
  deviceIp: config.DEVICE_IP,
});
