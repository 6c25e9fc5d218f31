import { fileURLToPath } from "node:url";
import type { Child, Children } from "./children.ts";

const SERVICE = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const REFERENCE = fileURLToPath(new URL("./reference.ts", import.meta.url));
const CATALOG = fileURLToPath(new URL("../data/catalog.json", import.meta.url));

/** Processes that the load is sent to; their CPU time is what a request costs. */
export interface Target {
  readonly url: string;
  /** Every process, Redis included. */
  readonly pids: readonly number[];
  readonly redisPids: readonly number[];
}

export const hasRedis = (): boolean => Bun.which("redis-server") !== null;

/** The plain route of reference.ts in as many processes as the service has workers. */
export async function startReference(children: Children, workers: number): Promise<Target> {
  let port = "0";
  const pids: number[] = [];
  for (let i = 0; i < workers; i++) {
    const child = await children.start({
      name: "reference",
      command: [process.execPath, REFERENCE],
      env: { PORT: port },
      readyWhen: /listening on (\d+)/,
    });
    port = child.greeting[1]!;
    pids.push(child.pid);
  }
  return { url: `http://127.0.0.1:${port}`, pids, redisPids: [] };
}

export interface ExchangeOptions {
  name: string;
  workers: number;
  /** Starts a Redis of its own for it; else the store is the embedded one. */
  usesRedis: boolean;
  settings: Readonly<Record<string, string>>;
}

/** A copy of the service as in production, on a free port, with a folder of its own. */
export async function startExchange(
  children: Children,
  { name, workers, usesRedis, settings }: ExchangeOptions,
): Promise<Target> {
  const redis = usesRedis ? await startRedis(children) : undefined;
  const child = await children.start({
    name,
    command: [process.execPath, SERVICE, "serve"],
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      WORKERS: String(workers),
      DATA_DIR: "data",
      CATALOG,
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
    redisPids,
  };
}

const REDIS_ATTEMPTS = 5;

async function startRedis(children: Children): Promise<{ url: string; child: Child }> {
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
