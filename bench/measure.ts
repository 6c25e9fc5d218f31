import type { CpuClock } from "./cpu.ts";
import type { Load } from "./load.ts";
import { watchMemory } from "./memory.ts";
import type { Target } from "./target.ts";

/** Work that follows the answers, such as a batch of statistics, is counted too. */
const SETTLE_MS = 400;

/** What a scenario measures besides, by name with its unit. */
export type Figures = Readonly<Record<string, number>>;

/** One run of one variant. */
export interface Sample extends Load {
  /** User and system time of every process of the target, per request. */
  readonly cpuUs: number;
  /** The part of it that is Redis. */
  readonly redisCpuUs: number;
  /** CPU of the load generator, as a share of one core. */
  readonly generatorShare: number;
  /** CPU of everything else on the machine, as a share of one core. */
  readonly othersShare: number;
  /** Resident memory of the largest worker, MiB: median of the second half. */
  readonly workerMib: number;
  readonly figures: Figures;
}

/** A sample, and what went wrong beside the load: its figures are missing then. */
export interface Measured {
  readonly sample: Sample;
  readonly fault: Error | undefined;
}

/**
 * @param beside  runs until its signal says that the load is over; the load goes on without it
 */
export async function measure(
  target: Target,
  load: () => Promise<Load>,
  clock: CpuClock,
  beside?: (signal: AbortSignal) => Promise<Figures>,
): Promise<Measured> {
  const before = read();
  const ownBefore = process.cpuUsage();
  const memory = watchMemory(target.workerPids);
  const loadEnd = new AbortController();
  const watched = (beside?.(loadEnd.signal) ?? Promise.resolve({})).then(
    (figures) => ({ figures, fault: undefined }),
    (fault: Error) => ({ figures: {}, fault }),
  );
  const loaded = await load().finally(() => loadEnd.abort());
  const { figures, fault } = await watched;
  const { workerMib } = memory.stop();
  await Bun.sleep(SETTLE_MS);
  const after = read();
  const own = process.cpuUsage(ownBefore);

  const targetSeconds = after.target - before.target;
  const outsideSeconds = loaded.isOutside ? loaded.generatorCpuSeconds : 0;
  const ownSeconds = (own.user + own.system) / 1e6 + outsideSeconds;
  const othersSeconds = after.machine - before.machine - targetSeconds - ownSeconds;
  const perRequestUs = (seconds: number) => (seconds * 1e6) / loaded.requests;
  const sample = {
    ...loaded,
    cpuUs: perRequestUs(targetSeconds),
    redisCpuUs: perRequestUs(after.redis - before.redis),
    generatorShare: loaded.generatorCpuSeconds / loaded.wallSeconds,
    othersShare: Math.max(0, othersSeconds) / (loaded.wallSeconds + SETTLE_MS / 1000),
    workerMib: workerMib.median,
    figures,
  };
  return { sample, fault };

  function read() {
    return {
      target: clock.of(target.pids),
      redis: clock.of(target.redisPids),
      machine: clock.ofMachine(),
    };
  }
}
