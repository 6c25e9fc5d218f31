import packageJson from "../package.json" with { type: "json" };
import { createAuctionLog } from "./auction/auction-log.ts";
import { createAuctioneer } from "./auction/auctioneer.ts";
import { createRoster } from "./auction/roster.ts";
import { createBidderOpener } from "./bidders/open-bidder.ts";
import type { Catalog } from "./catalog/catalog.ts";
import {
  auctionLogEvery,
  bidderSettings,
  redisUrl,
  trustedRanges,
  windowLimit,
} from "./config-views.ts";
import { createBidRoute } from "./http/bid.ts";
import { createBidReader } from "./http/bid-request.ts";
import { createChecks } from "./http/checks.ts";
import { createClientAddresses } from "./http/client-address.ts";
import { createDeadlines } from "./http/deadlines.ts";
import { createLiveRoute, createReadyRoute } from "./http/health.ts";
import { describeApi } from "./http/openapi.ts";
import { createRequestIds } from "./http/request-id.ts";
import { createServer } from "./http/server.ts";
import { createStatRoute } from "./http/stat.ts";
import { openLimiter } from "./limiter/open-limiter.ts";
import { type Logger, warnOfRedis } from "./log.ts";
import { writeOut } from "./output.ts";
import {
  CATALOG_FAULT,
  DRAIN_ALL,
  LOST,
  STORE_WENT_BACK,
  type StartOrder,
} from "./processes/messages.ts";
import type { SharedClock } from "./processes/shared-clock.ts";
import { describeLosses } from "./stats/loss-watch.ts";
import { openStatistics } from "./stats/statistics.ts";
import { createRemoteStore, type StoreCall } from "./store/embedded/remote.ts";
import { openWindows } from "./store/embedded/windows-file.ts";
import { openRedisCounters, openRedisWindows } from "./store/redis/open.ts";
import { answersWithin, type CounterStore, STORE_WAIT_MS } from "./store/store.ts";

/** Auctions one worker holds or has waiting; beyond it a bid is refused before it costs quota. */
const AUCTIONS_MAX = 1_024;
/** A handler that has no answer this long after TMAX_MAX is a fault of ours: 503 `deadline`. */
const DEADLINE_RESERVE_MS = 1_000;
/** While draining, how long answers ask clients to leave before the listener closes. */
const LEAVE_MS = 200;
/** Longest that running auctions are waited for; the whole stop takes ten seconds at most. */
const FINISH_MS_MAX = 6_000;
const FLUSH_DEADLINE_MS = 1_500;
/** Longest that the reader of the auction log holds up the end. */
const LOG_MS = 200;

export interface AppOptions {
  order: StartOrder;
  /** The snapshot to begin with. */
  catalog: Catalog;
  /** Calls the supervisor. */
  call: StoreCall;
  clock: SharedClock | undefined; // None where no windows are shared.
  logger: Logger;
  /** Words of the journal's ring. */
  ringWords?: number;
}

/** One worker, put together. The only file that knows every part. */
export interface App {
  /** Resolves when the store answers, or after a while without. @throws when the disk refuses */
  prepare(): Promise<void>;
  listen(): void;
  swapCatalog(catalog: Catalog): void;
  /** Counts everything answered before; of a store that went back, what it confirmed as well. */
  drain(isStoreBack: boolean): Promise<void>;
  /** Not ready, then no new connections, then running auctions finish and are counted. */
  stop(): Promise<void>;
}

export function createApp(options: AppOptions): App {
  const { order, logger } = options;
  const { config } = order;
  const parts = createParts(options);
  const { roster, recorder } = parts;
  let isDraining = false;
  const server = openServer(options, parts, () => isDraining);

  async function prepare(): Promise<void> {
    recorder.prepare(roster.catalog().supplies.values());
    if (options.order.isStoreReady) await answersWithin(parts.store, STORE_WAIT_MS);
  }

  function swapCatalog(catalog: Catalog): void {
    roster.swap(catalog);
    try {
      recorder.prepare(catalog.supplies.values());
    } catch (err) {
      logger.error({ err }, "new supplies cannot be recorded: their bids are refused");
    }
  }

  function drain(isStoreBack: boolean): Promise<void> {
    if (isStoreBack) recorder.recheck();
    return recorder.drain();
  }

  async function stop(): Promise<void> {
    isDraining = true;
    server.beginDrain();
    await Bun.sleep(LEAVE_MS);
    await server.stop(Math.min(config.TMAX_MAX + DEADLINE_RESERVE_MS, FINISH_MS_MAX));
    await Promise.race([parts.auctioneer.drain(), Bun.sleep(LEAVE_MS)]);
    await Promise.race([recorder.stop(), Bun.sleep(FLUSH_DEADLINE_MS)]).catch(
      warn(logger, "statistics not flushed, kept in the journal for the next start"),
    );
    parts.deadlines.stop();
    parts.limiting.stop();
    await Promise.race([parts.auctionLog?.stop(), Bun.sleep(LOG_MS)]);
    parts.store.close();
  }

  return { prepare, listen: server.listen, swapCatalog, drain, stop };
}

type Parts = ReturnType<typeof createParts>;

/** The actors of one worker and what they stand on. */
function createParts(options: AppOptions) {
  const { order, catalog, logger } = options;
  const { config } = order;
  const every = auctionLogEvery(config);
  const store = openCounters(options, () => {
    recorder.recheck();
    counters.doubt();
  });
  const roster = createRoster(catalog, createBidderOpener(bidderSettings(config), logger));
  const { recorder, counters } = openWorkerStatistics(options, store);
  return {
    roster,
    store,
    recorder,
    counters,
    limiting: openWorkerLimiter(options),
    auctioneer: createAuctioneer({
      capacity: AUCTIONS_MAX,
      bidderOf: roster.bidderOf,
      record: recorder.record,
      onFault: warn(logger, "bidder failed"),
    }),
    deadlines: createDeadlines(config.TMAX_MAX + DEADLINE_RESERVE_MS),
    auctionLog: every > 0 ? createAuctionLog({ every, write: writeOut }) : undefined,
  };
}

const warn = (logger: Logger, what: string) => (fault: unknown) =>
  logger.warn({ cause: fault instanceof Error ? fault.message : String(fault) }, what);

function openCounters({ order, call, logger }: AppOptions, onReconnect: () => void): CounterStore {
  const url = redisUrl(order.config);
  if (url === undefined) return createRemoteStore(call);
  return openRedisCounters({ url, onError: warnOfRedis(logger), onReconnect });
}

function openWorkerStatistics({ order, call, logger, ringWords }: AppOptions, store: CounterStore) {
  return openStatistics({
    journalPath: order.journalPath,
    ringWords,
    producer: order.producer,
    flushMs: order.config.STATS_FLUSH_MS,
    store,
    countAll: async (isStoreBack) => void (await call(DRAIN_ALL, isStoreBack)),
    onLost: (losses) => logger.warn(describeLosses(losses), "records not restored"),
    // Without a supervisor there is nobody to tell.
    onWentBack: () => void call(STORE_WENT_BACK, null).catch(() => {}),
    onUnnamed: (supply, err) => logger.error({ supply, err }, "cannot be recorded: bids refused"),
    onRefused: (supply, err) => logger.error({ supply, cause: err.message }, "counters refused"),
    onChange: (failure) =>
      failure
        ? logger.warn({ cause: failure.message }, "statistics wait in the journal")
        : logger.info("statistics are counted again"),
  });
}

function openWorkerLimiter({ order, clock, logger }: AppOptions) {
  const { config, producer, windowsPath } = order;
  const url = redisUrl(config);
  const limit = windowLimit(config);
  const policy = config.RATE_LIMIT_ON_ERROR;
  const admitDeadlineMs = config.RATE_LIMIT_DEADLINE_MS;
  const onError = warnOfRedis(logger);
  return openLimiter({
    openStore:
      url === undefined
        ? undefined
        : () => openRedisWindows({ url, limit, producer, admitDeadlineMs, onError }),
    openWindows: () => openWindows(windowsPath!, limit, clock!),
    limit,
    capacity: AUCTIONS_MAX,
    workers: config.WORKERS,
    onStoreError: policy,
    producer,
    onChange: (cause) =>
      cause
        ? logger.warn({ cause: cause.message, policy }, "limiter without its store")
        : logger.info("limiter has its store again"),
  });
}

function openServer(options: AppOptions, parts: Parts, isDraining: () => boolean) {
  const { order, call, logger } = options;
  const { config, port, producer } = order;
  const { roster, store, recorder, counters, limiting, auctioneer, deadlines, auctionLog } = parts;
  const requestIdOf = createRequestIds(producer);
  const handleBid = createBidRoute({
    requestIdOf,
    clients: createClientAddresses(trustedRanges(config)),
    catalog: roster.catalog,
    canRecord: recorder.canRecord,
    limiter: limiting.limiter,
    limit: windowLimit(config),
    auctioneer,
    deadlines,
    tmaxDefaultMs: config.TMAX_DEFAULT,
    explains: config.EXPLAIN === "true",
    onHeld: auctionLog?.log,
  });
  const handleStat = createStatRoute({
    catalog: roster.catalog,
    requestIdOf,
    read: counters.read,
    cacheMs: config.STAT_CACHE_MS,
    onFault: warn(logger, "statistics not available"),
  });
  const checks = createChecks({
    isDraining,
    catalog: roster.catalog,
    catalogFault: async () => (await call(CATALOG_FAULT, null)) as string | null,
    storeName: redisUrl(config) === undefined ? "embedded" : "redis",
    ping: store.ping,
    isFallbackActive: limiting.isFallbackActive,
    limitsWithout: limiting.withoutStore,
    hasRoomToRecord: recorder.hasRoom,
    refusedSupplies: recorder.refusedSupplies,
    lost: async () => (await call(LOST, null)) as string,
    troubles: roster.troubles,
  });
  return createServer({
    hostname: config.HOST,
    port,
    requestIdOf,
    readBid: createBidReader(config.TMAX_MAX),
    handleBid,
    handleStat,
    handleLive: createLiveRoute(requestIdOf),
    handleReady: createReadyRoute({ requestIdOf, checks }),
    openapi: describeApi(packageJson.version, config.TMAX_MAX),
    onFault: (err) => logger.error({ err }, "request failed"),
  });
}
