import { fileURLToPath } from "node:url";
import { workerEnvironment } from "../src/processes/worker-environment.ts";
import type { Child, ChildGroup } from "./children.ts";
import { LISTENING } from "./listening.ts";

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Processes that the load is sent to; their CPU time is what a request costs. */
export interface Target {
  readonly url: string;
  /** Every process, Redis included. */
  readonly pids: readonly number[];
  /** Those that answer. */
  readonly workerPids: readonly number[];
  readonly redisPids: readonly number[];
}

export type StoreName = "redis" | "embedded";

export const hasRedis = (): boolean => Bun.which("redis-server") !== null;

/** A route without the exchange behind it. */
export interface PlainRoute {
  readonly file: "reference.ts" | "raw.ts" | "answer-floor.ts" | "redis-floor.ts";
  /** That of a worker of the service. */
  readonly hasWorkerEnvironment?: boolean;
  /** It asks a Redis of its own. */
  readonly asksRedis?: boolean;
}

/** Starts it in as many processes as the service has workers. */
export async function startPlain(
  children: ChildGroup,
  { file, hasWorkerEnvironment, asksRedis }: PlainRoute,
  workers: number,
): Promise<Target> {
  const redis = asksRedis ? await startRedis(children) : undefined;
  const redisPids = redis ? [redis.child.pid] : [];
  const environment = {
    ...(hasWorkerEnvironment && workerEnvironment(redis !== undefined)),
    ...(redis && { REDIS_URL: redis.url }),
  };
  let port = "0";
  const workerPids: number[] = [];
  for (let i = 0; i < workers; i++) {
    const child = await children.start({
      name: file.replace(".ts", ""),
      command: [process.execPath, pathOf(`./${file}`)],
      env: { PORT: port, ...environment },
      readyWhen: LISTENING,
    });
    port = child.greeting[1]!;
    workerPids.push(child.pid);
  }
  const pids = [...workerPids, ...redisPids];
  return { url: `http://127.0.0.1:${port}`, pids, workerPids, redisPids };
}

export interface ExchangeOptions {
  name: string;
  workers: number;
  /** For Redis, starts one of its own. */
  store: StoreName;
  /** Path of the catalog's file. */
  catalog: string;
  settings: Readonly<Record<string, string>>;
}

/** A copy of the service as in production, on a free port, with a folder of its own. */
export async function startExchange(
  children: ChildGroup,
  { name, workers, store, catalog, settings }: ExchangeOptions,
): Promise<Target> {
  const redis = store === "redis" ? await startRedis(children) : undefined;
  const child = await children.start({
    name,
    command: [process.execPath, pathOf("../src/main.ts"), "serve"],
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      WORKERS: String(workers),
      DATA_DIR: "data",
      CATALOG: catalog,
      LOG_AUCTIONS: "off",
      // Distinct clients come from X-Forwarded-For.
      TRUSTED_PROXIES: "127.0.0.1",
      ...(redis && { REDIS_URL: redis.url }),
      ...settings,
    },
    readyWhen: /^\{.*"msg":"ready"\}$/m,
  });
  const ready = JSON.parse(child.greeting[0]) as { port: number; workers: number[] };
  const redisPids = redis ? [redis.child.pid] : [];
  return {
    url: `http://127.0.0.1:${ready.port}`,
    pids: [child.pid, ...ready.workers, ...redisPids],
    workerPids: ready.workers,
    redisPids,
  };
}

const REDIS_ATTEMPTS = 5;

/** A Redis that keeps nothing on disk, on a free port. */
export async function startRedis(children: ChildGroup): Promise<{ url: string; child: Child }> {
  for (let attempt = 1; ; attempt++) {
    const port = freePort();
    try {
      const settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
      const child = await children.start({
        name: "redis",
        command: ["redis-server", "--port", String(port), ...settings],
        readyWhen: /Ready to accept connections/,
      });
      return { url: `redis://127.0.0.1:${port}`, child };
    } catch (error) {
      // Another process may have taken the port since it was looked up.
      if (attempt === REDIS_ATTEMPTS) throw error;
    }
  }
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
