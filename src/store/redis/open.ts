import type { CounterStore, WindowLimit, WindowStore } from "../store.ts";
import { connectRedis } from "./connect.ts";
import { connectLimiter } from "./limiter-connection.ts";
import { createRedisStore } from "./store.ts";

const DEADLINE_MS = 1_000;

export interface OpenRedisOptions {
  url: string;
  limit: WindowLimit;
  producer: string;
  /** Milliseconds for an admission: a healthy Redis answers in one, and a client is waiting. */
  admitDeadlineMs: number;
  onError: (connection: string, error: Error) => void;
  /** A lost connection is back: the data behind it may be older. */
  onReconnect: () => void;
}

/** Connects, without waiting for it, and makes the store on two connections. */
export function openRedisStore(options: OpenRedisOptions): CounterStore & WindowStore {
  const { url, limit, producer, admitDeadlineMs, onError, onReconnect } = options;
  const connection = (role: string) => ({
    url,
    name: `exchange-${role}`,
    onError: (error: Error) => onError(role, error),
  });
  const stats = connectRedis(connection("stats"));
  let wasReady = false;
  stats.on("ready", () => {
    if (wasReady) onReconnect();
    wasReady = true;
  });
  return createRedisStore({
    connectLimiter: (onReady) => connectLimiter(connection("limiter"), onReady),
    stats,
    limit,
    producer,
    admitDeadlineMs,
    deadlineMs: DEADLINE_MS,
  });
}
