import type { CpuClock } from "./cpu.ts";
import { type Load, type LoadOptions, runLoad } from "./load.ts";
import type { Target } from "./target.ts";

/** Work that follows the answers, such as a batch of statistics, is counted too. */
const SETTLE_MS = 400;

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
}

export async function measure(
  target: Target,
  load: Omit<LoadOptions, "url">,
  clock: CpuClock,
): Promise<Sample> {
  const before = read();
  const ownBefore = process.cpuUsage();
  const done = await runLoad({ ...load, url: target.url });
  await Bun.sleep(SETTLE_MS);
  const after = read();
  const own = process.cpuUsage(ownBefore);

  const targetSeconds = after.target - before.target;
  const ownSeconds = (own.user + own.system) / 1e6;
  const othersSeconds = after.machine - before.machine - targetSeconds - ownSeconds;
  const perRequestUs = (seconds: number) => (seconds * 1e6) / done.requests;
  return {
    ...done,
    cpuUs: perRequestUs(targetSeconds),
    redisCpuUs: perRequestUs(after.redis - before.redis),
    generatorShare: done.generatorCpuSeconds / done.wallSeconds,
    othersShare: Math.max(0, othersSeconds) / (done.wallSeconds + SETTLE_MS / 1000),
  };

  function read() {
    return {
      target: clock.of(target.pids),
      redis: clock.of(target.redisPids),
      machine: clock.ofMachine(),
    };
  }
}
