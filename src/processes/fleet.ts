import { createShared } from "../actor/shared.ts";
import { within } from "../actor/within.ts";
import type { Logger } from "../log.ts";
import type { StartOrder } from "./messages.ts";
import { createRestartPolicy } from "./restart-policy.ts";
import { spawnWorker, type WorkerProcess } from "./worker-process.ts";

const PULSE_MS = 250;
/** A worker that says nothing for two seconds hangs, and holds a share of the connections. */
const SILENT_CHECKS_MAX = 2_000 / PULSE_MS;
/** A large catalog takes seconds to read. */
const REFRESH_MS_MAX = 30_000;

export interface FleetOptions {
  size: number;
  /** What the next worker of a slot begins with; a new producer each time. */
  orderFor: (slot: number) => StartOrder;
  answer: (name: string, argument: unknown) => Promise<unknown>;
  /** A producer whose process is gone: its journal may be taken over. */
  onEnded: (producer: string) => void;
  /** Too many crashes: the service cannot go on. */
  onGiveUp: () => void;
  logger: Logger;
  /** Longest that the others wait for a worker that reads the catalog, milliseconds. */
  refreshMsMax?: number;
  spawn?: typeof spawnWorker;
}

/** The workers: each slot is filled again when its worker ends. */
export interface Fleet {
  /**
   * Resolves when every slot has a worker that listens.
   * @throws Error with the words of a worker that cannot start, or when too many crashed before
   */
  start(): Promise<void>;
  pids(): number[];
  /**
   * Has every worker read the snapshot of the catalog again, one after the other: a large one keeps
   * a processor busy, and those that are not reading have the others.
   */
  refresh(): Promise<void>;
  /**
   * Resolves when every worker has counted what it answered, or has ended.
   * @param isStoreBack  whether the store is to be asked for all that it confirmed before
   */
  drain(isStoreBack: boolean): Promise<void>;
  /** Lets the workers finish; after `graceMs` they are killed. */
  stop(graceMs: number): Promise<void>;
  killAll(): void;
}

export function createFleet(options: FleetOptions): Fleet {
  const { size, orderFor, answer, onEnded, onGiveUp, logger } = options;
  const { refreshMsMax = REFRESH_MS_MAX, spawn = spawnWorker } = options;
  const workers = new Map<number, WorkerProcess>();
  const decideRestart = createRestartPolicy();
  let isStopping = false;
  const refused = Promise.withResolvers<never>();
  refused.promise.catch(() => {}); // After the start nobody waits for it.
  const pulse = setInterval(checkPulses, PULSE_MS);

  async function start(): Promise<void> {
    const slots = Array.from({ length: size }, (_, i) => i + 1);
    for (const slot of slots) fill(slot);
    // A worker that dies meanwhile is replaced; the replacement counts.
    await Promise.race([Promise.all(slots.map(isFilled)), refused.promise]);
  }

  async function isFilled(slot: number): Promise<void> {
    while (!isStopping) {
      const isReady = await workers.get(slot)!.ready.then(
        () => true,
        () => false,
      );
      if (isReady) return;
      await Bun.sleep(20);
    }
  }

  /** @returns undefined where nobody is replaced any more */
  function fill(slot: number): WorkerProcess | undefined {
    if (isStopping) return undefined;
    const order = orderFor(slot);
    const worker = spawn({
      order,
      answer,
      onEnded: () => onEnded(order.producer),
      onFatal(message) {
        logger.error({ slot, reason: message }, "worker cannot start");
        refused.reject(new Error(message));
      },
    });
    workers.set(slot, worker);
    worker.ended.then((end) => {
      if (isStopping) return;
      logger.warn({ slot, pid: worker.pid, ...end }, "worker ended");
      const decision = decideRestart(end);
      if (decision === "give up") {
        isStopping = true;
        refused.reject(new Error("five workers crashed within a minute"));
        return onGiveUp();
      }
      setTimeout(() => refill(slot), decision.restartAfterMs);
    });
    return worker;
  }

  function refill(slot: number): void {
    const worker = fill(slot);
    if (!worker) return;
    const ready = () => logger.info({ slot, pid: worker.pid }, "worker replaced");
    worker.ready.then(ready, () => {});
  }

  function checkPulses(): void {
    for (const [slot, worker] of workers) {
      if (worker.checkPulse(SILENT_CHECKS_MAX)) continue;
      logger.error({ slot, pid: worker.pid }, "worker hangs: killed");
    }
  }

  const live = () => [...workers.values()].filter((worker) => worker.state() !== "ended");

  async function drain(isStoreBack: boolean): Promise<void> {
    await Promise.all(live().map((worker) => worker.drain(isStoreBack)));
  }

  async function refresh(): Promise<void> {
    for (const worker of live()) {
      const read = within(worker.refresh(), refreshMsMax, "catalog");
      await read.catch((err) =>
        logger.warn({ pid: worker.pid, cause: err.message }, "not read yet"),
      );
    }
  }

  async function stop(graceMs: number): Promise<void> {
    isStopping = true;
    for (const worker of live()) worker.stop();
    const timer = setTimeout(killAll, graceMs);
    await Promise.all([...workers.values()].map((worker) => worker.ended));
    clearTimeout(timer);
    clearInterval(pulse);
  }

  function killAll(): void {
    for (const worker of live()) worker.kill();
  }

  return {
    start,
    pids: () => live().map((worker) => worker.pid),
    refresh: createShared(refresh),
    drain,
    stop,
    killAll,
  };
}
