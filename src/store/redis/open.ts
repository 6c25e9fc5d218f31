import type { CounterStore, WindowLimit, WindowStore } from "../store.ts";
import { type ConnectOptions, connectRedis } from "./connect.ts";
import { createRedisCounters } from "./counters.ts";
import { connectLimiter } from "./limiter-connection.ts";
import { createRedisWindows } from "./windows.ts";

const DEADLINE_MS = 1_000;

interface RedisServer {
  url: string;
  /** Told of the first error of each outage, and which connection met it. */
  onError: (connection: string, error: Error) => void;
}

export interface OpenCountersOptions extends RedisServer {
  /** A lost connection is back: the data behind it may be older. */
  onReconnect: () => void;
}

export interface OpenWindowsOptions extends RedisServer {
  limit: WindowLimit;
  /** Unique to this process. */
  producer: string;
  /** Milliseconds for an admission: a healthy Redis answers in one, and a client is waiting. */
  admitDeadlineMs: number;
}

/** Connects, without waiting for it. */
export function openRedisCounters(options: OpenCountersOptions): CounterStore {
  const redis = connectRedis(connectionOf(options, "stats"));
  let wasReady = false;
  redis.on("ready", () => {
    if (wasReady) options.onReconnect();
    wasReady = true;
  });
  return createRedisCounters(redis, DEADLINE_MS);
}

/** Connects, without waiting for it. */
export function openRedisWindows(options: OpenWindowsOptions): WindowStore {
  return createRedisWindows({
    ...options,
    connect: (onReady) => connectLimiter(connectionOf(options, "limiter"), onReady),
    deadlineMs: DEADLINE_MS,
  });
}

const connectionOf = ({ url, onError }: RedisServer, role: string): ConnectOptions => ({
  url,
  name: `exchange-${role}`,
  onError: (error) => onError(role, error),
});
