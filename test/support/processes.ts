import { readdirSync, readFileSync } from "node:fs";

/** One process of this machine, told from a later one that is given the same id. */
export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks between the boot of the machine and the start of the process. */
  readonly startedAt: string;
}

interface ProcessFacts extends ProcessRef {
  readonly parent: number;
  readonly hasEnded: boolean;
}

/** The processes that a process has started and that still run. Linux only, as it reads /proc. */
export function childrenOf(pid: number): ProcessRef[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => inspect(Number(name)))
    .filter(
      (facts) => facts !== undefined && facts.parent === pid && !facts.hasEnded,
    ) as ProcessRef[];
}

/** Its command line, in words. Empty when it has ended. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

export function processOf(pid: number): ProcessRef | undefined {
  return inspect(pid);
}

/** False also for one that has ended and only waits for its parent to notice. */
export function isRunning({ pid, startedAt }: ProcessRef): boolean {
  const facts = inspect(pid);
  return facts !== undefined && facts.startedAt === startedAt && !facts.hasEnded;
}

/** Ends a process when this one ends, however that happens: the kernel closes the pipe. */
export function guardProcess(pid: number): Bun.Subprocess {
  const script = 'cat > /dev/null; kill -9 "$1"';
  const guard = Bun.spawn(["sh", "-c", script, "guard", String(pid)], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  guard.unref();
  return guard;
}

/** See proc(5). The second field is a name in brackets, which may itself hold brackets. */
function inspect(pid: number): ProcessFacts | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // It has ended.
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const hasEnded = fields[0] === "Z" || fields[0] === "X";
  return { pid, parent: Number(fields[1]), startedAt: fields[19]!, hasEnded };
}
