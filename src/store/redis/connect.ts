import { Redis } from "ioredis";

export interface ConnectOptions {
  url: string;
  /** Shown by CLIENT LIST. */
  name: string;
  /** Told of the first error of an outage; ioredis has one more at every attempt. */
  onError: (error: Error) => void;
}

/**
 * One connection that fails fast: nothing is queued while Redis is away and nothing is sent twice.
 * ioredis would otherwise execute a write again after a lost reply, and wait about 70 seconds.
 */
export function connectRedis({ url, name, onError }: ConnectOptions): Redis {
  const redis = new Redis(url.replace(/^unix:(\/\/)?/, ""), {
    connectionName: name,
    enableReadyCheck: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    socketTimeout: 2_000, // A server that accepts and never answers; connectTimeout is TCP only.
    retryStrategy: (attempt) => Math.min(50 * 2 ** (attempt - 1), 1_000) + Math.random() * 100,
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 1 : false),
  });
  let isAway = false;
  redis.on("error", (error: Error) => {
    if (!isAway) onError(error);
    isAway = true;
  });
  redis.on("ready", () => {
    isAway = false;
  });
  return redis;
}
