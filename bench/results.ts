import { cpus, release, totalmem } from "node:os";
import type { Plan } from "./plan.ts";
import type { Soak } from "./soak.ts";
import type { Row } from "./summary.ts";
import type { TargetResult } from "./targets.ts";

/** What was measured. */
export interface RunFigures {
  readonly rows: readonly Row[];
  readonly soaks: readonly Soak[];
  readonly targets: readonly TargetResult[];
}

export type Results = ReturnType<typeof describeRun>;

/** What a figure means nothing without, and all figures: the content of a file of results. */
export function describeRun(plan: Plan, figures: RunFigures) {
  return {
    command: `bun bench ${process.argv.slice(2).join(" ")}`.trim(),
    date: new Date().toISOString(),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${process.platform} ${release()}`,
    },
    bun: Bun.version,
    redis: redisVersion(),
    plan: { ...plan, scenarios: plan.scenarios.map(({ name }) => name) },
    ...figures,
  };
}

/** Short hash, with a plus where the files differ from it; none outside of a clone. */
function commit(): string | undefined {
  const cwd = import.meta.dir;
  const git = (...args: string[]) => Bun.spawnSync(["git", ...args], { cwd }).stdout.toString();
  if (!Bun.which("git")) return undefined;
  const hash = git("rev-parse", "--short", "HEAD").trim();
  if (hash === "") return undefined;
  return git("status", "--porcelain", "..").trim() === "" ? hash : `${hash}+`;
}

function redisVersion(): string | undefined {
  if (!Bun.which("redis-server")) return undefined;
  return Bun.spawnSync(["redis-server", "--version"])
    .stdout.toString()
    .match(/v=(\S+)/)?.[1];
}
