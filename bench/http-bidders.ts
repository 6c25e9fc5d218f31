import { fileURLToPath } from "node:url";
import { Value } from "@sinclair/typebox/value";
import { type Profile, ProfileSchema } from "../src/sandbox/profile.ts";
import type { Counters, StubOrder } from "../src/sandbox/stub-bidder.ts";
import { type BenchCatalog, saveCatalog } from "./catalogs.ts";
import type { ChildGroup } from "./children.ts";
import { createCpuClock } from "./cpu.ts";
import type { Figures } from "./measure.ts";
import type { Act, Stage } from "./scenario.ts";

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));
/** Loops of one process; fetch keeps 64 connections at most. */
const FETCH_LOOPS = 16;

/** Bidders of one supply that answer over HTTP, each with a bid of its own. */
export interface HttpBidders {
  readonly count: number;
  /** Between a whole request and the first byte of the answer. */
  readonly latencyMs: number;
  /** The last of them never answers. */
  readonly isOneHung?: boolean;
}

/** Plays the bidders in one process, and writes the catalog that names them. */
export async function httpCatalog(stage: Stage, bidders: HttpBidders): Promise<BenchCatalog> {
  const { count, latencyMs, isOneHung = false } = bidders;
  const ids = Array.from({ length: count }, (_, i) => `bidder${i}`);
  const orders = ids.map((id, i): StubOrder => {
    const misbehaviours = isOneHung && i === count - 1 ? { hang: 1 } : {};
    const price = { min: 0.1, max: 1 };
    const written = { price, latency_ms: latencyMs, misbehaviours };
    return { id, seat: id, seed: i + 1, profile: Value.Parse(ProfileSchema, written) as Profile };
  });
  const child = await stage.children.start({
    name: "stubs",
    command: [process.execPath, pathOf("./stubs.ts")],
    env: { ORDERS: JSON.stringify(orders) },
    readyWhen: /listening on (\S+)/,
  });
  const stubs = child.greeting[1]!.split(",").map((port) => `http://127.0.0.1:${port}`);
  const documents = ids.map((id, i) => [id, { country: "US", endpoint: `${stubs[i]}/bid` }]);
  const name = `http-${count}-${latencyMs}${isOneHung ? "-hung" : ""}`;
  const supplies = { http: { bidders: ids, auction: "second_price" as const, floor: 0.1 } };
  const path = await saveCatalog(stage.dir, name, {
    supplies,
    bidders: Object.fromEntries(documents),
  });
  return { path, offers: [{ supplyId: "http", country: "US" }], stubs };
}

/** Counts the calls of one load, by what the bidders saw of them. */
export async function watchCalls({ target, catalog }: Act, signal: AbortSignal): Promise<Figures> {
  const clock = createCpuClock();
  const read = async () => {
    const counters = await Promise.all(catalog.stubs!.map(readCounters));
    const sum = (of: (one: Counters) => number) => counters.reduce((all, one) => all + of(one), 0);
    return {
      requests: sum(({ requests }) => requests),
      connections: sum(({ connections }) => connections),
      cpuSeconds: clock.of(target.pids),
      atMs: performance.now(),
    };
  };
  const before = await read();
  // A short load may be over by now.
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  const after = await read();
  const calls = after.requests - before.requests;
  return {
    "bidder calls/s": calls / ((after.atMs - before.atMs) / 1_000),
    "CPU µs per bidder call": ((after.cpuSeconds - before.cpuSeconds) * 1e6) / calls,
    "new connections per 100 calls": ((after.connections - before.connections) * 100) / calls,
  };
}

async function readCounters(stub: string): Promise<Counters> {
  const response = await fetch(`${stub}/counters`, { keepalive: false });
  return (await response.json()) as Counters;
}

/** The same calls without an exchange: as many processes in bare loops of fetch. */
export async function measureFetch(
  { target, catalog }: Act,
  seconds: number,
  children: ChildGroup,
): Promise<Figures> {
  const env = {
    URLS: catalog.stubs!.map((stub) => `${stub}/bid`).join(","),
    SIZE: String(FETCH_LOOPS),
    SECONDS: String(seconds),
  };
  const loops = await Promise.all(
    target.workerPids.map(() =>
      children.start({
        name: "fetch-loop",
        command: [process.execPath, pathOf("./fetch-loop.ts")],
        env,
        readyWhen: /^done: (.*)$/m,
        withinMs: seconds * 1_500 + 20_000,
      }),
    ),
  );
  const done = loops.map(({ greeting }) => JSON.parse(greeting[1]!));
  const calls = done.reduce((sum, loop) => sum + loop.calls, 0);
  const cpuUs = done.reduce((sum, loop) => sum + loop.cpuUs, 0);
  return { "CPU µs per call of a bare fetch loop": cpuUs / calls };
}
