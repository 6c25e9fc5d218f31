import { createShared } from "./actor/shared.ts";
import { type App, createApp } from "./app.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { createSnapshotReader } from "./catalog/snapshot-reader.ts";
import { createLogger, type Logger } from "./log.ts";
import { createCalls } from "./processes/calls.ts";
import { CLOCK, type Order, type Report, type StartOrder } from "./processes/messages.ts";
import { readSharedClock } from "./processes/shared-clock.ts";

const BEAT_MS = 500;
/** Longest that a worker that cannot start tries to say why. */
const SAY_MS = 1_000;

/** One process of the service: takes orders from the supervisor until it is told to stop. */
export function runWorker(): void {
  const send = (report: Report) => void process.send?.(report);
  const tell = (report: Report) => {
    if (process.connected) send(report); // Else nobody is left to tell.
  };
  const calls = createCalls(send);
  const snapshots = createSnapshotReader();
  const refresh = createShared(readCatalog);
  let catalogPath: string | undefined;
  let first: Catalog | undefined;
  let app: App | undefined;
  let logger: Logger | undefined;
  let isStopping = false;

  process.on("message", (order: Order) => {
    if (order.type === "reply") calls.settle(order);
    else obey(order);
  });
  // Ctrl-C and a terminal that closes reach the whole group: the supervisor decides.
  process.on("SIGINT", () => {});
  process.on("SIGHUP", () => {});
  process.on("SIGTERM", stop);
  process.on("disconnect", () => {
    calls.close();
    stop(); // The supervisor is gone, perhaps killed: leave no orphan.
  });
  setInterval(() => tell({ type: "beat" }), BEAT_MS);
  send({ type: "hello" });

  function obey(order: Exclude<Order, { type: "reply" }>): void {
    if (order.type === "start") start(order.order);
    else if (order.type === "listen") listen();
    else if (order.type === "catalog") refreshCatalog(order.id);
    else if (order.type === "drain") drain(order);
    else stop();
  }

  async function start(order: StartOrder): Promise<void> {
    logger = createLogger({
      level: order.config.LOG_LEVEL,
      name: `worker ${order.slot}`,
      isTerminal: process.stdout.isTTY === true,
    });
    try {
      catalogPath = order.catalogPath;
      await refresh();
      const clock = order.windowsPath === undefined ? undefined : await askForClock();
      app = createApp({ order, catalog: first!, call: calls.call, clock, logger });
      first = undefined;
      await app.prepare();
      send({ type: "prepared" });
    } catch (err) {
      fail(err);
    }
  }

  const askForClock = () => readSharedClock(() => calls.call(CLOCK, null) as Promise<number>);

  /** In slices: bids go on meanwhile, on the catalog that they know. */
  async function readCatalog(): Promise<void> {
    const catalog = await snapshots.read(catalogPath!);
    if (!catalog) return;
    if (app) app.swapCatalog(catalog);
    else first = catalog;
  }

  async function refreshCatalog(id: number): Promise<void> {
    const hasStarted = catalogPath !== undefined; // Else the start reads what is in force then.
    try {
      if (hasStarted) await refresh();
    } catch (err) {
      logger?.error({ err }, "catalog not read, the old one stays");
    }
    tell({ type: "done", id });
  }

  function listen(): void {
    try {
      app?.listen();
      send({ type: "ready" });
    } catch (err) {
      fail(err);
    }
  }

  async function drain({ id, isStoreBack }: Extract<Order, { type: "drain" }>): Promise<void> {
    try {
      await app?.drain(isStoreBack);
      tell({ type: "done", id });
    } catch (err) {
      tell({ type: "done", id, error: (err as Error).message });
    }
  }

  async function stop(): Promise<void> {
    if (isStopping) return;
    isStopping = true;
    try {
      await app?.stop();
    } catch (err) {
      logger?.error({ err }, "stopping failed");
    }
    process.exit(0);
  }

  function fail(err: unknown): void {
    logger?.fatal({ err }, "cannot start");
    process.exitCode = 1;
    setTimeout(() => process.exit(1), SAY_MS);
    // Said before leaving: messages still in the channel are lost on exit.
    process.send?.({ type: "fatal", message: describe(err) }, undefined, undefined, () =>
      process.exit(1),
    );
  }
}

/** A fault and what caused it, in one line. */
function describe(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return err.cause === undefined ? err.message : `${err.message}: ${describe(err.cause)}`;
}
