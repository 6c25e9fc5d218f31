import { mkdirSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { createErrand } from "./actor/errand.ts";
import { createShared } from "./actor/shared.ts";
import { within } from "./actor/within.ts";
import { CatalogError } from "./catalog/document.ts";
import { snapshotPath } from "./catalog/snapshot-file.ts";
import { type Config, EXIT_CONFIG } from "./config.ts";
import { keepsWindows, redisUrl } from "./config-views.ts";
import { createLogger, type Logger, warnOfRedis } from "./log.ts";
import { writeBanner } from "./processes/banner.ts";
import { openCatalogKeeper } from "./processes/catalog-keeper.ts";
import { createFleet } from "./processes/fleet.ts";
import { lockFolder } from "./processes/folder-lock.ts";
import { CATALOG_FAULT, CLOCK, DRAIN_ALL, LOST, STORE_WENT_BACK } from "./processes/messages.ts";
import { claimPort } from "./processes/port-claim.ts";
import { catchSignals } from "./processes/signals.ts";
import { createJournalFolder } from "./stats/journal.ts";
import { createLossWatch, describeLosses } from "./stats/loss-watch.ts";
import { createRecovery } from "./stats/recovery.ts";
import { openCounterFile } from "./store/embedded/counters.ts";
import { answerStoreCall, isStoreCall } from "./store/embedded/remote.ts";
import { createEmbeddedStore } from "./store/embedded/store.ts";
import { createWindowsFile, removeWindowsFile } from "./store/embedded/windows-file.ts";
import { openRedisCounters } from "./store/redis/open.ts";
import { answersWithin, type CounterStore, STORE_WAIT_MS } from "./store/store.ts";

/** Workers of a predecessor that was killed leave within this. */
const PREDECESSOR_MS = 1_500;
/** The whole stop takes ten seconds at most: workers get this, the last flush the rest. */
const WORKERS_GRACE_MS = 8_700;
const LAST_FLUSH_MS = 800;
const DRAIN_DEADLINE_MS = 1_400;
const RETRY_MS = 250;
/** Between two looks at what the store holds. */
const LOOK_EVERY_MS = 10_000;

/**
 * Runs the service until it is told to stop; never returns while it does.
 * @param echoMs  within which one press of Ctrl-C may arrive twice
 */
export async function runSupervisor(given: Config, echoMs: number): Promise<void> {
  const isTerminal = process.stdout.isTTY === true;
  const config: Config = {
    ...given,
    LOG_AUCTIONS: given.LOG_AUCTIONS || (isTerminal ? "all" : "off"),
    // Elsewhere a shared port does not spread the connections.
    WORKERS: process.platform === "linux" ? given.WORKERS : 1,
  };
  const logger = createLogger({ level: config.LOG_LEVEL, name: "supervisor", isTerminal });
  const signals = catchSignals(echoMs);
  const port = await orExit(() => claimPort(config.HOST, config.PORT, PREDECESSOR_MS));
  const journalDir = join(config.DATA_DIR, "journals");
  const unlock = await orExit(() => {
    mkdirSync(journalDir, { recursive: true });
    return lockFolder(config.DATA_DIR);
  });
  const onChange = () => void fleet.refresh();
  const keeper = await orExit(() => openCatalogKeeper({ config, onChange, logger }));

  // Unique to this start, on this host and every other one that uses the same store.
  const boot = `${Date.now().toString(36)}${crypto.randomUUID().slice(0, 4)}`;
  let spawned = 0;
  let isEnding = false;
  const compare = createErrand({
    async run() {
      await drainAll();
      await lossWatch.compare();
    },
    isOver: signals.isStopping,
    waitMs: RETRY_MS,
  });
  const store = await orExit(() => openStore(config, logger, onStoreBack));
  const windowsPath = join(config.DATA_DIR, "windows");
  const hasWindows = keepsWindows(config);
  await orExit(() => (hasWindows ? createWindowsFile : removeWindowsFile)(windowsPath));
  const lossWatch = createLossWatch({
    read: store.read,
    isOwn: (producer) => producer.startsWith(`${boot}-`),
    onLost: (auctions) =>
      logger.error({ auctions: auctions.toString() }, "the store came back without these auctions"),
  });
  const journals = createJournalFolder(journalDir);
  const recovery = createRecovery({
    journals,
    store,
    onRecovered: (producer, words) => {
      if (words > 0) logger.info({ producer, words }, "journal of an ended worker counted");
    },
    onLost: (losses) => logger.warn(describeLosses(losses), "records not restored"),
    onWentBack: compare,
    onForgotten: compare,
    onFault: (producer, fault) =>
      logger.warn({ producer, cause: (fault as Error).message }, "journal not counted yet"),
  });
  const isStoreReady = await answersWithin(store, STORE_WAIT_MS);
  recovery.recoverAll();

  const countAll = async (isStoreBack: boolean) => {
    if (isStoreBack) recovery.recheck();
    await fleet.drain(isStoreBack);
    await recovery.settled();
  };
  const drainAll = createShared(() => countAll(false));
  const recheckAll = createShared(() => countAll(true));
  const fleet = createFleet({
    size: config.WORKERS,
    orderFor(slot) {
      const producer = `${boot}-${slot}-${++spawned}`;
      const journalPath = journals.pathOf(producer);
      const catalogPath = snapshotPath(config.DATA_DIR);
      const paths = { journalPath, catalogPath, windowsPath: hasWindows ? windowsPath : undefined };
      return { config, port, slot, producer, isStoreReady, ...paths };
    },
    async answer(name, argument) {
      if (isStoreCall(name)) return answerStoreCall(store, name, argument);
      if (name === STORE_WENT_BACK) return compare();
      if (name === CLOCK) return performance.now();
      if (name === CATALOG_FAULT) return keeper.fault() ?? null;
      if (name === LOST) return lossWatch.lost().toString();
      if (name !== DRAIN_ALL) throw new Error(`no call ${name}`);
      await within((argument ? recheckAll : drainAll)(), DRAIN_DEADLINE_MS, "drain");
      return null;
    },
    onEnded: recovery.recover,
    onGiveUp: () => {
      logger.fatal("five workers crashed within a minute: giving up");
      stop(1);
    },
    logger,
  });
  signals.handlers.onStop = () => stop(0);
  signals.handlers.onAbort = () => {
    fleet.killAll();
    process.exit(130);
  };

  signals.handlers.onReload = keeper.reload;
  keeper.watch();
  await orExit(fleet.start);
  compare(); // The first time it notes what there is.
  if (redisUrl(config) !== undefined) void watchStore();
  if (signals.isStopping()) return;
  const facts = { version: packageJson.version, config, port, pids: fleet.pids(), isStoreReady };
  const known = { catalog: keeper.header(), catalogFault: keeper.fault() };
  process.stdout.write(writeBanner({ ...facts, ...known }));
  logger.info({ port, workers: fleet.pids() }, "ready");
  process.send?.("ready"); // To a parent with a channel to it, as process managers have.

  /** A lost connection is back: producers count again what is missing, then what stays missing. */
  function onStoreBack(): void {
    recovery.recheck();
    compare();
  }

  /** A store that is emptied while its connections last tells nobody. */
  async function watchStore(): Promise<void> {
    while (!signals.isStopping()) {
      await Bun.sleep(LOOK_EVERY_MS);
      if (await lossWatch.look().catch(() => false)) onStoreBack();
    }
  }

  async function stop(exitCode: number): Promise<void> {
    if (isEnding) return;
    isEnding = true;
    keeper.stop();
    logger.info("stopping");
    await fleet.stop(WORKERS_GRACE_MS);
    await Promise.race([recovery.settled(), Bun.sleep(LAST_FLUSH_MS)]);
    recovery.stop();
    store.close();
    removeWindowsFile(windowsPath);
    unlock();
    logger.info("stopped");
    process.exit(exitCode);
  }
}

function openStore(config: Config, logger: Logger, onReconnect: () => void): CounterStore {
  const url = redisUrl(config);
  if (url !== undefined) {
    return openRedisCounters({ url, onError: warnOfRedis(logger), onReconnect });
  }
  return createEmbeddedStore(openCounterFile(join(config.DATA_DIR, "counters.sqlite")));
}

/** A start that cannot succeed ends with one clear line. */
async function orExit<T>(step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    process.stderr.write(`exchange: ${(error as Error).message}\n`);
    process.exit(error instanceof CatalogError ? EXIT_CONFIG : 1);
  }
}
