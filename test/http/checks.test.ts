import { expect, test } from "bun:test";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { type CheckOptions, createChecks } from "../../src/http/checks.ts";
import { createReadyRoute } from "../../src/http/health.ts";

const catalog = buildCatalog({ supplies: { s: [] }, bidders: {} }, 7);

/** The checks of a worker that has what it needs, but for what a test says. */
const checksOf = (differently: Partial<CheckOptions> = {}) =>
  createChecks({
    isDraining: () => false,
    catalog: () => catalog,
    catalogFault: async () => null,
    storeName: "redis",
    ping: async () => {},
    isFallbackActive: () => false,
    limitsWithout: "local",
    hasRoomToRecord: () => true,
    refusedSupplies: () => [],
    lost: async () => "0",
    troubles: () => [],
    ...differently,
  });

const away = () => Promise.reject(new Error("away"));

test("all is well with a worker that has what it needs", async () => {
  const checks = Object.entries(checksOf());
  const results = await Promise.all(
    checks.map(async ([name, run]) => [name, (await run()).status]),
  );
  expect(Object.fromEntries(results)).toEqual({
    accepting: "ok",
    catalog: "ok",
    store: "ok",
    statistics: "ok",
    bidders: "ok",
  });
});

test("a worker that drains does not accept", async () => {
  expect(await checksOf({ isDraining: () => true }).accepting!()).toMatchObject({
    status: "failed",
  });
});

test.each([
  ["local", "degraded"],
  ["open", "degraded"],
  ["off", "degraded"],
  ["kept", "degraded"],
  ["closed", "failed"],
] as const)("without the store and with limits %p it is %p", async (limitsWithout, status) => {
  expect(await checksOf({ ping: away, limitsWithout }).store!()).toMatchObject({ status });
});

test("a store that hangs counts as one that does not answer, well before the check is given up", async () => {
  const { store } = checksOf({ ping: () => new Promise(() => {}) });
  const route = createReadyRoute({ requestIdOf: () => "id", checks: { store: store! } });
  const answer = await route(new Request("http://x/readyz"));
  expect(await answer.json()).toMatchObject({ checks: { store: { status: "degraded" } } });
});

test("a fallback that is in force shows although the store answers again", async () => {
  expect(await checksOf({ isFallbackActive: () => true }).store!()).toMatchObject({
    status: "degraded",
  });
});

test("without room to record nothing can go on", async () => {
  const checks = checksOf({ ping: away, hasRoomToRecord: () => false });
  expect(await checks.store!()).toMatchObject({ status: "failed" });
  expect(await checks.statistics!()).toMatchObject({ status: "failed" });
});

test("statistics tell of counters that refuse, and of auctions that the store has lost", async () => {
  const refused = await checksOf({ refusedSupplies: () => ["a", "b"] }).statistics!();
  expect(refused).toEqual({
    status: "degraded",
    detail: "the counters of 2 supplies refuse, see the log",
  });
  const lost = await checksOf({ lost: async () => "12" }).statistics!();
  expect(lost).toEqual({ status: "degraded", detail: "12 auctions lost by the store" });
});

test("bidders that are not asked show, the first three by name", async () => {
  const troubles = ["a", "b", "c", "d"].map((bidderId) => ({ bidderId, cause: "breaker open" }));
  expect(await checksOf({ troubles: () => troubles.slice(0, 1) }).bidders!()).toEqual({
    status: "degraded",
    detail: "1 not asked: a (breaker open)",
  });
  expect(await checksOf({ troubles: () => troubles }).bidders!()).toEqual({
    status: "degraded",
    detail: "4 not asked: a (breaker open), b (breaker open), c (breaker open), ...",
  });
});

test("a catalog that may be out of date is told with its age, and serves", async () => {
  const catalogFault = async () => "35 s old: it cannot be read, see the log";
  expect(await checksOf({ catalogFault }).catalog!()).toEqual({
    status: "degraded",
    detail: "version 7, 1 supplies, 35 s old: it cannot be read, see the log",
  });
});
