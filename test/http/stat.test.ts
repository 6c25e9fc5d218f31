import { describe, expect, test } from "bun:test";
import { buildCatalog, type Catalog } from "../../src/catalog/catalog.ts";
import { createRequestIds } from "../../src/http/request-id.ts";
import { createStatRoute } from "../../src/http/stat.ts";
import { countryField, TOTAL } from "../../src/store/counters.ts";
import type { Counters } from "../../src/store/store.ts";

const catalogWith = (version: number, ...supplyIds: string[]): Catalog =>
  buildCatalog(
    { supplies: Object.fromEntries(supplyIds.map((id) => [id, []])), bidders: {} },
    version,
  );
interface SupplyReport {
  total_reqs: number;
  reqs_per_country: Record<string, number>;
  bidders: object;
}

/** The numbers of an answer, by supply. */
const reportOf = async (response: Response | Promise<Response>) =>
  (await (await response).json()) as Record<string, SupplyReport>;
const totalOf = async (response: Response | Promise<Response>) =>
  (await reportOf(response)).s1?.total_reqs;
const turn = () => new Promise((resolve) => setImmediate(resolve));

interface Setup {
  cacheMs?: number;
  /** What a read waits for before it takes the numbers. */
  count?: () => Promise<void>;
  read?: (supplyIds?: readonly string[]) => Promise<ReadonlyMap<string, Counters>>;
}

/**
 * The route over counters, a catalog and a clock that the test changes. Logs each read, and
 * what was reported as a fault.
 */
function statRoute({ cacheMs = 0, count, read }: Setup = {}) {
  const state = { catalog: catalogWith(1, "s1", "s2"), total: 0, nowMs: 5_000 };
  const log: string[] = [];
  const faults: unknown[] = [];
  const counters = () =>
    new Map([
      [TOTAL, `${state.total}`],
      [countryField("US"), `${state.total}`],
    ]);
  const handleStat = createStatRoute({
    catalog: () => state.catalog,
    requestIdOf: createRequestIds("p"),
    async read(supplyIds) {
      log.push(supplyIds ? `read ${supplyIds}` : "read all");
      await count?.();
      if (read) return read(supplyIds);
      const counted = new Map<string, Counters>([["s1", counters()]]);
      if (!supplyIds) return counted;
      return new Map(supplyIds.map((id) => [id, counted.get(id) ?? new Map()]));
    },
    cacheMs,
    onFault: (fault) => faults.push(fault),
    now: () => state.nowMs,
  });
  const get = (supplyId?: string, headers = {}) =>
    handleStat(new Request("http://x/stat", { headers }), supplyId);
  return { get, state, log, faults };
}

const EMPTY = { total_reqs: 0, reqs_per_country: {}, bidders: {} };

describe("stat", () => {
  test("answers every supply of the catalog, with all that was counted", async () => {
    const { get, state, log } = statRoute();
    state.total = 5;
    const response = await get();
    expect(response.status).toBe(200);
    expect(await reportOf(response)).toEqual({
      s1: { total_reqs: 5, reqs_per_country: { US: 5 }, bidders: {} },
      s2: EMPTY,
    });
    expect(log).toEqual(["read all"]);
  });

  test("has exactly the promised headers", async () => {
    const headers = Object.fromEntries((await statRoute().get()).headers);
    expect(headers).toEqual({
      "content-type": "application/json",
      "x-request-id": "p-1",
      etag: expect.stringMatching(/^"[0-9a-z]+"$/),
      "cache-control": "no-cache",
    });
  });

  test("reads anew for each call, so that it sees what was answered before it", async () => {
    const { get, state, log } = statRoute();
    expect(await totalOf(get())).toBe(0);
    state.total = 1;
    expect(await totalOf(get())).toBe(1);
    expect(log).toEqual(["read all", "read all"]);
  });

  test("shares one read among all calls that come while one is under way", async () => {
    const gates: PromiseWithResolvers<void>[] = [];
    const { get, state, log } = statRoute({
      count() {
        const gate = Promise.withResolvers<void>();
        gates.push(gate);
        return gate.promise;
      },
    });
    const first = get();
    state.total = 1;
    const later = Promise.all(Array.from({ length: 20 }, () => get()));
    gates[0]!.resolve();
    await first;
    await turn();
    state.total = 2; // Answered before the shared read ended, so the callers may see it.
    gates[1]!.resolve();
    for (const response of await later) expect(await totalOf(response)).toBe(2);
    expect(log).toEqual(["read all", "read all"]);
  });

  test("does not give a call the numbers of a read that began before it", async () => {
    const gate = Promise.withResolvers<void>();
    let reads = 0;
    const { get } = statRoute({
      count: () => (reads === 0 ? gate.promise : Promise.resolve()),
      read: async () => new Map([["s1", new Map([[TOTAL, `${++reads}`]])]]),
    });
    const early = get();
    const late = get();
    gate.resolve();
    expect(await totalOf(early)).toBe(1);
    expect(await totalOf(late)).toBe(2);
  });
});

describe("stat of one supply", () => {
  test("answers that supply alone and reads no other", async () => {
    const { get, state, log } = statRoute();
    state.total = 3;
    const response = await get("s1");
    expect(await reportOf(response)).toEqual({
      s1: { total_reqs: 3, reqs_per_country: { US: 3 }, bidders: {} },
    });
    expect(log).toEqual(["read s1"]);
  });

  test("answers zeros for a supply that was never counted", async () => {
    expect(await (await statRoute().get("s2")).json()).toEqual({ s2: EMPTY });
  });

  test("answers a supply that left the catalog as long as something was counted", async () => {
    const { get, state } = statRoute();
    state.total = 3;
    state.catalog = catalogWith(2, "s2");
    expect((await get("s1")).status).toBe(200);
    state.total = 0;
    expect((await get("s1")).status).toBe(404);
  });

  test.each(["nowhere", "", "__proto__", "constructor", "S1", "s1,s2", "x".repeat(500)])(
    "answers 404 for the unknown supply %p, without an echo",
    async (supplyId) => {
      const response = await statRoute().get(supplyId);
      expect(response.status).toBe(404);
      const body = await response.json();
      expect(body).toMatchObject({ code: "not_found", request_id: "p-1" });
      if (supplyId.length > 5) expect(JSON.stringify(body)).not.toContain(supplyId);
    },
  );

  test("shares one read among concurrent calls, each with its own supply", async () => {
    const gate = Promise.withResolvers<void>();
    const { get, log } = statRoute({ count: () => gate.promise });
    const responses = ["s1", "s2", "s1"].map((id) => get(id));
    gate.resolve();
    const bodies = await Promise.all(responses.map(reportOf));
    expect(bodies.map((body) => Object.keys(body))).toEqual([["s1"], ["s2"], ["s1"]]);
    expect(log).toEqual(["read s1", "read s2,s1"]); // The first's, and the rest's.
  });
});

test("a supply whose counters cannot be read leaves those that are asked for with it", async () => {
  const gate = Promise.withResolvers<void>();
  const { get, faults } = statRoute({
    async read(supplyIds) {
      await gate.promise;
      if (supplyIds!.includes("s2")) throw new Error("s2 is no hash");
      return new Map(supplyIds!.map((id) => [id, new Map([[TOTAL, "1"]])]));
    },
  });
  const responses = ["s1", "s1", "s2"].map((id) => get(id));
  gate.resolve();
  expect((await Promise.all(responses)).map(({ status }) => status)).toEqual([200, 200, 503]);
  expect(faults.map(String)).toEqual(["Error: s2 is no hash"]);
});

describe("stat with If-None-Match", () => {
  test("answers 304 without a body while nothing has changed", async () => {
    const { get } = statRoute();
    const etag = (await get()).headers.get("etag")!;
    const response = await get(undefined, { "if-none-match": etag });
    expect(response.status).toBe(304);
    expect(await response.text()).toBe("");
    expect(response.headers.get("etag")).toBe(etag);
    expect(response.headers.get("x-request-id")).toBe("p-2");
  });

  test("answers anew, with another tag, once something was counted", async () => {
    const { get, state } = statRoute();
    const etag = (await get()).headers.get("etag")!;
    state.total = 1;
    const response = await get(undefined, { "if-none-match": etag });
    expect(response.status).toBe(200);
    expect(response.headers.get("etag")).not.toBe(etag);
  });

  test("compares weakly, in a list, and takes a star for any", async () => {
    const { get } = statRoute();
    const etag = (await get()).headers.get("etag")!;
    for (const header of [`W/${etag}`, `"other", ${etag}`, `"a",W/${etag} ,"b"`, "*"]) {
      expect((await get(undefined, { "if-none-match": header })).status).toBe(304);
    }
    for (const header of ['"other"', etag.slice(1, -1), ""]) {
      expect((await get(undefined, { "if-none-match": header })).status).toBe(200);
    }
  });

  test("reads all the same before it says that nothing has changed", async () => {
    const { get, log } = statRoute();
    const etag = (await get()).headers.get("etag")!;
    await get(undefined, { "if-none-match": etag });
    expect(log).toEqual(["read all", "read all"]);
  });

  test("does not answer 304 for a supply that is unknown", async () => {
    expect((await statRoute().get("nowhere", { "if-none-match": "*" })).status).toBe(404);
  });
});

describe("stat that cannot be had", () => {
  const away = () => Promise.reject(new Error("redis://user:secret@host is away"));

  test.each([
    ["not every worker can count", { count: away }, undefined],
    ["the store cannot be read", { read: away }, undefined],
    ["not every worker can count, for one supply", { count: away }, "s1"],
    ["the store cannot be read, for one supply", { read: away }, "s1"],
  ])("is 503 when %s, and the cause is logged, not sent", async (_, setup, supplyId) => {
    const { get, faults } = statRoute(setup);
    const response = await get(supplyId);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ code: "stats_unavailable", request_id: "p-1" });
    expect(body).not.toContain("secret");
    expect(faults.map(String)).toEqual(["Error: redis://user:secret@host is away"]);
  });

  test("is 503 rather than late, and there again once the workers count", async () => {
    const gate = Promise.withResolvers<void>();
    const { get, state } = statRoute({ count: () => gate.promise });
    const startedMs = performance.now();
    expect((await get()).status).toBe(503);
    expect(performance.now() - startedMs).toBeWithin(1_400, 2_500);
    gate.resolve();
    await turn();
    state.total = 4;
    expect(await totalOf(get())).toBe(4);
  });

  test("is 503 even where an older answer is remembered", async () => {
    let isAway = false;
    const { get, state } = statRoute({
      cacheMs: 1_000,
      count: () => (isAway ? away() : Promise.resolve()),
    });
    expect((await get()).status).toBe(200);
    isAway = true;
    state.nowMs += 1_000;
    expect((await get()).status).toBe(503);
  });
});

describe("stat with a cache", () => {
  test("answers from memory until the answer is too old, and says how old it is", async () => {
    const { get, state, log } = statRoute({ cacheMs: 10_000 });
    const first = await get();
    expect(first.headers.get("age")).toBe("0");
    expect(first.headers.get("cache-control")).toBe("max-age=10");
    state.total = 1;
    state.nowMs += 9_999;
    const second = await get();
    expect(await totalOf(second)).toBe(0);
    expect(second.headers.get("age")).toBe("9");
    state.nowMs += 1;
    const third = await get();
    expect(await totalOf(third)).toBe(1);
    expect(third.headers.get("age")).toBe("0");
    expect(log).toEqual(["read all", "read all"]);
  });

  test("is as old as the beginning of its read, not as its end", async () => {
    const gate = Promise.withResolvers<void>();
    const { get, state } = statRoute({ cacheMs: 10_000, count: () => gate.promise });
    const answered = get();
    state.nowMs += 3_000;
    gate.resolve();
    expect((await answered).headers.get("age")).toBe("3");
  });

  test("is dropped when the catalog changes", async () => {
    const { get, state } = statRoute({ cacheMs: 10_000 });
    expect(Object.keys(await reportOf(get()))).toEqual(["s1", "s2"]);
    state.catalog = catalogWith(2, "s2", "s3");
    expect(Object.keys(await reportOf(get()))).toEqual(["s2", "s3"]);
  });

  test("does not keep an answer whose catalog changed while it was made", async () => {
    const gate = Promise.withResolvers<void>();
    let reads = 0;
    const { get, state, log } = statRoute({
      cacheMs: 10_000,
      async read() {
        if (++reads === 1) await gate.promise;
        return new Map();
      },
    });
    const answered = get();
    await turn();
    state.catalog = catalogWith(2, "s9");
    gate.resolve();
    expect(Object.keys(await reportOf(answered))).toEqual(["s9"]);
    expect(Object.keys(await reportOf(get()))).toEqual(["s9"]);
    expect(log.filter((entry) => entry === "read all").length).toBe(1);
    state.catalog = catalogWith(3, "s10");
    expect(Object.keys(await reportOf(get()))).toEqual(["s10"]);
  });

  test("answers 304 from memory, too", async () => {
    const { get, log } = statRoute({ cacheMs: 10_000 });
    const etag = (await get()).headers.get("etag")!;
    const response = await get(undefined, { "if-none-match": etag });
    expect([response.status, response.headers.get("age")]).toEqual([304, "0"]);
    expect(log).toEqual(["read all"]);
  });

  test("does not serve one supply, which is always new", async () => {
    const { get, state } = statRoute({ cacheMs: 10_000 });
    await get("s1");
    state.total = 7;
    const response = await get("s1");
    expect(await totalOf(response)).toBe(7);
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(response.headers.has("age")).toBe(false);
  });
});
