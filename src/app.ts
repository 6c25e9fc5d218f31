import { write } from "node:fs";
import packageJson from "../package.json" with { type: "json" };
import { within } from "./actor/within.ts";
import { createAuctioneer } from "./auction/auctioneer.ts";
import type { Bidder } from "./auction/bidder.ts";
import { createSimulatedBidder } from "./auction/simulated-bidder.ts";
import { buildCatalog, type Catalog } from "./catalog/catalog.ts";
import { type Config, latencyRange, redisUrl, trustedRanges } from "./config.ts";
import { createBidRoute } from "./http/bid.ts";
import { createBidReader } from "./http/bid-request.ts";
import { createClientOf } from "./http/client-address.ts";
import { createDeadlines } from "./http/deadlines.ts";
import { type Check, createReadyRoute, handleLive } from "./http/health.ts";
import { describeApi } from "./http/openapi.ts";
import { createRequestIds } from "./http/request-id.ts";
import { createServer } from "./http/server.ts";
import { createStatRoute } from "./http/stat.ts";
import { createDenyCache } from "./limiter/deny-cache.ts";
import { createFallback } from "./limiter/fallback.ts";
import { createLimiter } from "./limiter/limiter.ts";
import type { Logger } from "./log.ts";
import { type CatalogUpdate, DRAIN_ALL, LOST, type StartOrder } from "./processes/messages.ts";
import { createAuctionLog } from "./stats/auction-log.ts";
import { createJournal } from "./stats/journal.ts";
import { createJournalCounter } from "./stats/journal-counter.ts";
import { createRecorder } from "./stats/recorder.ts";
import { createRemoteStore, type StoreCall } from "./store/embedded/remote.ts";
import { openRedisStore } from "./store/redis/open.ts";
import { answersWithin, STORE_WAIT_MS, type Store, type WindowLimit } from "./store/store.ts";

/** Auctions one worker holds or has waiting; beyond it a bid is refused before it costs quota. */
const AUCTIONS_MAX = 1_024;
/** A handler that has no answer this long after tmax is a fault of ours: 503 `deadline`. */
const DEADLINE_RESERVE_MS = 1_000;
/** While draining, how long answers ask clients to leave before the listener closes. */
const LEAVE_MS = 200;
const FLUSH_DEADLINE_MS = 1_500;
const PING_DEADLINE_MS = 250;

export interface AppOptions {
  order: StartOrder;
  /** Calls the supervisor. */
  call: StoreCall;
  logger: Logger;
}

/** One worker, put together. The only file that knows every part. */
export interface App {
  /** Resolves when the store answers; when it does not, after a while, and the fallback begins. */
  prepare(): Promise<void>;
  listen(): void;
  swapCatalog(update: CatalogUpdate): void;
  /** Resolves when everything answered before the call is counted. */
  drain(): Promise<void>;
  /** Not ready, then no new connections, then running auctions finish and are counted. */
  stop(): Promise<void>;
}

export function createApp({ order, call, logger }: AppOptions): App {
  const { config, port, producer, journalPath } = order;
  const limit: WindowLimit = {
    max: config.RATE_LIMIT_MAX_REQUESTS,
    windowMs: config.RATE_LIMIT_WINDOW_SECONDS * 1000,
  };
  const warn = (what: string) => (fault: unknown) =>
    logger.warn({ cause: fault instanceof Error ? fault.message : String(fault) }, what);
  let catalog: Catalog;
  let bidders: ReadonlyMap<string, Bidder>;
  let isDraining = false;
  swapCatalog(order.catalog);

  const store = openStore();
  const journal = createJournal(journalPath);
  const counter = createJournalCounter({
    journal,
    producer,
    apply: store.apply,
    onLost: (supply, records) => logger.warn({ supply, records }, "records not restored"),
    onRefused: (supply, err) => logger.error({ supply, err }, "counters refused"),
  });
  const recorder = createRecorder({
    journal,
    counter,
    flushMs: config.STATS_FLUSH_MS,
    onChange: (failure) =>
      failure
        ? logger.warn({ cause: failure.message }, "statistics wait in the journal")
        : logger.info("statistics are counted again"),
  });
  const fallback = createFallback({
    admit: store.admit,
    restore: store.restore,
    limit,
    workers: config.WORKERS,
    onStoreError: config.RATE_LIMIT_ON_ERROR,
    producer,
    onChange: (cause) =>
      cause
        ? logger.warn(
            { cause: cause.message, policy: config.RATE_LIMIT_ON_ERROR },
            "limiter without its store",
          )
        : logger.info("limiter has its store again"),
  });
  const limiter =
    limit.max > 0
      ? createLimiter({ admit: fallback.admit, denied: createDenyCache(), capacity: AUCTIONS_MAX })
      : undefined;
  const auctioneer = createAuctioneer({
    capacity: AUCTIONS_MAX,
    bidderOf: (id) => bidders.get(id)!,
    record: recorder.record,
    onFault: warn("bidder failed"),
  });
  const deadlines = createDeadlines(config.TMAX_MAX + DEADLINE_RESERVE_MS);
  const auctionLog = openAuctionLog(config);
  const requestIdOf = createRequestIds(producer);
  const server = createServer({
    hostname: config.HOST,
    port,
    requestIdOf,
    handleBid: createBidRoute({
      readBid: createBidReader(config.TMAX_MAX),
      requestIdOf,
      clientOf: createClientOf(trustedRanges(config)),
      catalog: () => catalog,
      hasRoomToRecord: recorder.hasRoom,
      limiter,
      limit,
      auctioneer,
      deadlines,
      tmaxDefaultMs: config.TMAX_DEFAULT,
      onHeld: auctionLog?.log,
    }),
    handleStat: createStatRoute({
      catalog: () => catalog,
      requestIdOf,
      drainAll: async () => void (await call(DRAIN_ALL, null)),
      read: store.read,
      cacheMs: config.STAT_CACHE_MS,
      onFault: warn("statistics not available"),
    }),
    handleLive: handleLive(requestIdOf),
    handleReady: createReadyRoute({
      requestIdOf,
      checks: { accepting, catalog: checkCatalog, store: checkStore, statistics: checkStatistics },
    }),
    openapi: describeApi(packageJson.version, config.TMAX_MAX),
    onFault: (err) => logger.error({ err }, "request failed"),
  });

  function openStore(): Store {
    const url = redisUrl(config);
    if (url === undefined) return createRemoteStore(call);
    return openRedisStore({
      url,
      limit,
      producer,
      admitDeadlineMs: config.RATE_LIMIT_DEADLINE_MS,
      onError: (role, err) => logger.warn({ role, err: err.message }, "redis connection"),
      onReconnect: () => recorder.recheck(),
    });
  }

  function swapCatalog({ version, document }: CatalogUpdate): void {
    catalog = buildCatalog(document, version);
    const simulation = {
      noBidProbability: config.NO_BID_PROBABILITY,
      latency: latencyRange(config),
    };
    bidders = new Map(
      Object.keys(document.bidders).map((id) => [id, createSimulatedBidder(id, simulation)]),
    );
  }

  function accepting(): Check {
    return isDraining
      ? { status: "failed", detail: "shutting down" }
      : { status: "ok", detail: "yes" };
  }

  function checkCatalog(): Check {
    const { version, supplies } = catalog;
    return { status: "ok", detail: `version ${version}, ${supplies.size} supplies` };
  }

  /** Without Redis bids go on by the fallback, and their outcomes wait in the journal. */
  async function checkStore(): Promise<Check> {
    const isEmbedded = redisUrl(config) === undefined;
    const answers = await within(store.ping(), PING_DEADLINE_MS, "ping").then(
      () => true,
      () => false,
    );
    if (answers && !fallback.isActive()) {
      return { status: "ok", detail: isEmbedded ? "embedded" : "redis" };
    }
    const policy = config.RATE_LIMIT_ON_ERROR;
    const isServing = !isEmbedded && policy !== "closed" && recorder.hasRoom();
    const detail = `${isEmbedded ? "embedded store" : "redis"} away, limits: ${policy}`;
    return { status: isServing ? "degraded" : "failed", detail };
  }

  async function checkStatistics(): Promise<Check> {
    const lost = (await call(LOST, null)) as string;
    if (!recorder.hasRoom()) return { status: "failed", detail: "the journal is full" };
    if (lost !== "0") return { status: "degraded", detail: `${lost} auctions lost by the store` };
    return { status: "ok", detail: "none lost" };
  }

  async function stop(): Promise<void> {
    isDraining = true;
    server.beginDrain();
    await Bun.sleep(LEAVE_MS);
    await server.stop(Math.min(config.TMAX_MAX + DEADLINE_RESERVE_MS, 6_500));
    await Promise.race([auctioneer.drain(), Bun.sleep(200)]);
    try {
      await Promise.race([recorder.stop(), Bun.sleep(FLUSH_DEADLINE_MS)]);
    } catch (err) {
      logger.warn({ err }, "statistics not flushed, kept in the journal for the next start");
    }
    deadlines.stop();
    fallback.stop();
    await auctionLog?.stop();
    store.close();
    journal.close();
  }

  async function prepare(): Promise<void> {
    await answersWithin(store, STORE_WAIT_MS);
  }

  return { prepare, listen: server.listen, swapCatalog, drain: recorder.drain, stop };
}

function openAuctionLog(config: Config) {
  const every = config.LOG_AUCTIONS === "all" ? 1 : Number(config.LOG_AUCTIONS.split("/")[1] ?? 0);
  if (every === 0) return undefined;
  return createAuctionLog({ every, write: writeOut });
}

/** Off the event loop, so that a reader that stalls does not stall auctions. */
const writeOut = (text: string) => new Promise<void>((resolve) => write(1, text, () => resolve()));
