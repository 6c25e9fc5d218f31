import type { Subprocess } from "bun";
import { redisUrl } from "../config-views.ts";
import type { Order, Report, StartOrder } from "./messages.ts";
import { createPulse } from "./pulse.ts";
import type { WorkerEnd } from "./restart-policy.ts";
import { workerEnvironment } from "./worker-environment.ts";

/**
 * One that starts loads its modules and writes out its journal without a word, and holds no
 * connection yet. On a fifth of a processor, or beside a busy disk, that takes seconds: it has so
 * many times the others' silence, 15 s.
 */
const START_PATIENCE = 7.5;

type WorkerState = "starting" | "serving" | "stopping" | "ended";

export interface WorkerProcess {
  readonly pid: number;
  state(): WorkerState;
  /** Lets it finish what it has begun. */
  stop(): void;
  /**
   * Reads the snapshot of the catalog again; resolves also when it ended instead. One that is
   * starting is not waited for.
   */
  refresh(): Promise<void>;
  /**
   * Counts what it has answered so far; resolves also when it ended instead.
   * @param isStoreBack  the store is to be asked for all that it confirmed before
   */
  drain(isStoreBack: boolean): Promise<void>;
  kill(): void;
  /** Settles when it listens; rejects when it ended before. */
  readonly ready: Promise<void>;
  /** Settles when the process is gone. */
  readonly ended: Promise<WorkerEnd>;
  /** Kills it when it was silent for more checks than this; one that starts has more. */
  checkPulse(silentChecks: number): boolean;
}

export interface WorkerProcessOptions {
  order: StartOrder;
  /** Answers a call of the worker. */
  answer: (name: string, argument: unknown) => Promise<unknown>;
  /** The process is gone. Called before anybody who waits for a job of it goes on. */
  onEnded: () => void;
  /** Said by a worker that cannot start. */
  onFatal: (message: string) => void;
  now?: () => number;
}

/** Spawns one worker and speaks with it. Nothing is lost with it that its journal holds. */
export function spawnWorker(options: WorkerProcessOptions): WorkerProcess {
  const { order, answer, onEnded, onFatal, now = () => performance.now() } = options;
  const { producer } = order;
  const jobs = new Map<number, { resolve: () => void; reject: (fault: Error) => void }>();
  const readiness = Promise.withResolvers<void>();
  readiness.promise.catch(() => {}); // Nobody need wait for it.
  let state: WorkerState = "starting";
  let jobsGiven = 0;
  const pulse = createPulse();
  let readyAtMs: number | undefined;

  const child: Subprocess = Bun.spawn([process.execPath, Bun.main, "worker"], {
    env: { ...workerEnvironment(redisUrl(order.config) !== undefined), ...process.env },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    serialization: "json",
    ipc: (message) => {
      pulse.beat();
      hear(message as Report);
    },
  });

  const ended = child.exited.then((): WorkerEnd => {
    state = "ended";
    readiness.reject(new Error(`${producer} ended before it was ready`));
    onEnded();
    for (const { resolve } of jobs.values()) resolve(); // Its journal is for the recovery.
    jobs.clear();
    const servedMs = readyAtMs === undefined ? 0 : now() - readyAtMs;
    return { code: child.exitCode, signal: child.signalCode as string | null, servedMs };
  });

  function hear(report: Report): void {
    switch (report.type) {
      case "hello":
        return send({ type: "start", order });
      case "prepared":
        if (state === "starting") state = "serving";
        return send({ type: "listen" });
      case "ready":
        readyAtMs = now();
        return readiness.resolve();
      case "done": {
        const waiter = jobs.get(report.id);
        jobs.delete(report.id);
        if (report.error === undefined) return waiter?.resolve();
        return waiter?.reject(new Error(`${producer}: ${report.error}`));
      }
      case "call":
        return void answerCall(report);
      case "fatal":
        return onFatal(report.message);
    }
  }

  async function answerCall({ id, name, argument }: Extract<Report, { type: "call" }>) {
    try {
      send({ type: "reply", id, result: await answer(name, argument) });
    } catch (error) {
      send({ type: "reply", id, error: (error as Error).message });
    }
  }

  function send(message: Order): void {
    try {
      child.send(message);
    } catch {
      // It is gone or going; `ended` tells.
    }
  }

  /** Resolves when it says that it has done what the order with this number asks. */
  function give(orderOf: (id: number) => Order): Promise<void> {
    if (state === "ended") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const id = ++jobsGiven;
      jobs.set(id, { resolve, reject });
      send(orderOf(id));
    });
  }

  async function refresh(): Promise<void> {
    const isStarting = state === "starting";
    const done = give((id) => ({ type: "catalog", id }));
    if (!isStarting) await done;
  }

  async function drain(isStoreBack: boolean): Promise<void> {
    // One that is starting has answered nobody; it is asked once it has been told to listen.
    if (state === "starting") return;
    await give((id) => ({ type: "drain", id, isStoreBack }));
  }

  function stop(): void {
    if (state !== "ended") state = "stopping";
    send({ type: "stop" });
  }

  function checkPulse(silentChecks: number): boolean {
    const patience = state === "starting" ? START_PATIENCE : 1;
    if (state === "ended" || pulse.check(silentChecks * patience)) return true;
    child.kill("SIGKILL");
    return false;
  }

  return {
    pid: child.pid,
    state: () => state,
    stop,
    refresh,
    drain,
    kill: () => child.kill("SIGKILL"),
    ready: readiness.promise,
    ended,
    checkPulse,
  };
}
