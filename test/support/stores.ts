import type { Environment } from "./exchange.ts";
import { startRedis, type TestRedis } from "./redis.ts";

/** For `describe.each`: what holds on one store holds on the other. */
export const STORES = ["embedded", "redis"] as const;
export type StoreKind = (typeof STORES)[number];

export interface TestStore extends AsyncDisposable {
  /** The settings that make an exchange use it. */
  readonly env: Environment;
  readonly redis: TestRedis | undefined;
}

/** The embedded store needs nothing: it is in the folder of each exchange. */
export async function startStore(kind: StoreKind): Promise<TestStore> {
  if (kind === "embedded") return { env: {}, redis: undefined, async [Symbol.asyncDispose]() {} };
  const redis = await startRedis();
  // However busy the machine is: beyond its deadline a worker decides by itself.
  const env = { REDIS_URL: redis.url, RATE_LIMIT_DEADLINE_MS: "1000" };
  return { env, redis, [Symbol.asyncDispose]: redis.stop };
}
