import { AUCTIONS, REFUSALS, WIDE_AUCTIONS } from "./answers.ts";
import { largeCatalog, sqliteCatalog, tenBiddersCatalog } from "./catalogs.ts";
import { type HttpBidders, httpCatalog, measureFetch, watchCalls } from "./http-bidders.ts";
import { measureReload } from "./reload.ts";
import { REFERENCE, type Scenario } from "./scenario.ts";
import { askForStatistics, warmStatistics } from "./stat-watch.ts";
import { hasRedis, type StoreName } from "./target.ts";

const ANSWER_FLOOR = "answer-floor";
const REDIS_FLOOR = "redis-floor";
const DISTINCT_REDIS = "distinct-redis";
const DISTINCT_EMBEDDED = "distinct-embedded";

/** In the order of a round: those that are compared stand together, so that their times do, too. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: REFERENCE,
    about: "the same route on plain Elysia, same schemas, static answer",
    plain: { file: "reference.ts" },
    clients: "distinct",
    answers: { "200": [1, 1] },
    pacedBy: REFERENCE,
  },
  {
    name: "raw",
    about: "raw Bun.serve, the same JSON, no schemas",
    plain: { file: "raw.ts" },
    clients: "distinct",
    answers: { "200": [1, 1] },
  },
  {
    name: ANSWER_FLOOR,
    about: "the 429 of one-client on a route like the service's, with nothing behind it",
    plain: { file: "answer-floor.ts", hasWorkerEnvironment: true },
    clients: "one",
    answers: { rate_limited: [1, 1] },
  },
  {
    name: "one-client",
    about: "one client far over its limit",
    exchange: { store: "embedded" },
    clients: "one",
    answers: REFUSALS,
    against: ANSWER_FLOOR,
  },
  {
    name: "limiter-off",
    about: "auctions without the limiter",
    exchange: { store: "embedded", settings: { RATE_LIMIT_MAX_REQUESTS: "0" } },
    clients: "distinct",
    answers: AUCTIONS,
  },
  {
    name: REDIS_FLOOR,
    about: "the 200 of distinct-redis on a route like the service's, with only Redis behind it",
    plain: { file: "redis-floor.ts", hasWorkerEnvironment: true, asksRedis: true },
    clients: "distinct",
    answers: { "200": [1, 1] },
  },
  {
    name: DISTINCT_REDIS,
    about: "every client new and admitted, Redis",
    exchange: { store: "redis", isBound: true },
    clients: "distinct",
    answers: AUCTIONS,
    pacedBy: DISTINCT_REDIS,
    against: REDIS_FLOOR,
  },
  {
    name: DISTINCT_EMBEDDED,
    about: "every client new and admitted, embedded store",
    exchange: { store: "embedded", isBound: true },
    clients: "distinct",
    answers: AUCTIONS,
    pacedBy: DISTINCT_EMBEDDED,
  },
  {
    name: "stat",
    about: "GET /stat once a second during the load",
    exchange: { store: "redis" },
    clients: "distinct",
    answers: AUCTIONS,
    pacedBy: DISTINCT_REDIS,
    beside: askForStatistics,
    besideWarmUp: warmStatistics,
    isAgainstItself: true,
  },
  {
    name: "catalog-sqlite",
    about: "auctions without the limiter, the catalog in a database",
    exchange: {
      store: "embedded",
      isBound: true,
      settings: { RATE_LIMIT_MAX_REQUESTS: "0" },
      catalog: ({ dir }) => sqliteCatalog(dir),
    },
    clients: "distinct",
    answers: AUCTIONS,
    against: "limiter-off",
  },
  {
    name: "auction-log",
    about: "every auction logged, to a file",
    exchange: { store: "embedded", settings: { LOG_AUCTIONS: "all" } },
    clients: "distinct",
    answers: AUCTIONS,
    against: DISTINCT_EMBEDDED,
  },
  {
    name: "large-catalog",
    about: "100,000 supplies of 50 bidders, bids for 12 of the supplies; and a reload",
    exchange: {
      store: "embedded",
      catalog: ({ dir, supplies }) => largeCatalog(dir, supplies),
    },
    clients: "distinct",
    answers: AUCTIONS,
    against: DISTINCT_EMBEDDED,
    after: measureReload,
  },
  {
    name: "every-supply",
    about: "the same catalog, each request for another supply",
    exchange: {
      store: "embedded",
      catalog: async ({ dir, supplies }) => ({
        ...(await largeCatalog(dir, supplies)),
        suppliesSpread: supplies,
      }),
    },
    clients: "distinct",
    answers: AUCTIONS,
    // As much as a slow host counts meanwhile: what waits fills the journal, and bids are refused.
    warmUpRate: 5_000,
    against: DISTINCT_EMBEDDED,
  },
  {
    name: "ten-bidders",
    about: "10 bidders that take 5 to 40 ms, tmax 30 ms",
    exchange: {
      store: "embedded",
      settings: { BIDDER_LATENCY_MS: "5-40" },
      catalog: ({ dir }) => tenBiddersCatalog(dir),
    },
    clients: "distinct",
    tmaxMs: 30,
    answers: WIDE_AUCTIONS,
  },
  ...[1, 2, 3, 4].map(
    (workers): Scenario => ({
      name: `workers-${workers}`,
      about: `every client new and admitted, ${workers} ${workers === 1 ? "worker" : "workers"}`,
      exchange: { store: "redis", workers },
      clients: "distinct",
      answers: AUCTIONS,
      ...(workers > 1 && { against: "workers-1" }),
    }),
  ),
  ...[1, 5, 10].flatMap((count) => [0, 20].map((latencyMs) => httpScenario({ count, latencyMs }))),
  httpScenario({ count: 5, latencyMs: 0, isOneHung: true }),
];

/** Auctions among bidders that are called over HTTP; nobody declines, so each is won. */
function httpScenario(bidders: HttpBidders): Scenario {
  const { count, latencyMs, isOneHung } = bidders;
  const who = count === 1 ? "1 bidder" : `${count} bidders`;
  return {
    name: `http-${count}-${isOneHung ? "hung" : `${latencyMs}ms`}`,
    about: `${who} over HTTP, ${latencyMs} ms each${isOneHung ? ", one of them hung" : ""}`,
    exchange: {
      store: "embedded",
      isBound: true,
      settings: { RATE_LIMIT_MAX_REQUESTS: "0", ALLOW_PRIVATE_BIDDERS: "true" },
      catalog: (stage) => httpCatalog(stage, bidders),
    },
    clients: "distinct",
    tmaxMs: isOneHung ? 100 : 2_000,
    answers: { "200": [0.99, 1], no_bids: [0, 0.01] },
    beside: watchCalls,
    ...(isOneHung ? { against: "http-5-0ms" } : { after: measureFetch }),
  };
}

/** Where the scenarios that may use either store keep their data; unset: as each one says. */
export type StoreChoice = StoreName | "both" | undefined;

/** The scenarios to run, by the store; without a redis-server only what can do without. */
export function scenariosOn(choice: StoreChoice): Scenario[] {
  const wanted = hasRedis() ? choice : "embedded";
  return SCENARIOS.flatMap((scenario) => {
    const { exchange, plain } = scenario;
    if (plain?.asksRedis && !hasRedis()) return [];
    if (!exchange || wanted === undefined) return [scenario];
    const stores: StoreName[] = wanted === "both" ? ["redis", "embedded"] : [wanted];
    if (exchange.isBound) return stores.includes(exchange.store) ? [scenario] : [];
    return stores.map((store) => onStore(scenario, store));
  });
}

/** With the store in its name where it is not the usual one. */
function onStore(scenario: Scenario, store: StoreName): Scenario {
  const { name, exchange, pacedBy, against } = scenario;
  if (exchange!.store === store) return scenario;
  const peer = store === "redis" ? DISTINCT_REDIS : DISTINCT_EMBEDDED;
  function ownOf(other: string): string {
    if (other === DISTINCT_REDIS || other === DISTINCT_EMBEDDED) return peer;
    const its = SCENARIOS.find(({ name: itsName }) => itsName === other)!.exchange;
    return its && its.store !== store ? `${other}-${store}` : other;
  }
  return {
    ...scenario,
    name: `${name}-${store}`,
    usualName: name,
    exchange: { ...exchange!, store },
    ...(pacedBy && { pacedBy: ownOf(pacedBy) }),
    ...(against && { against: ownOf(against) }),
  };
}
