import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Exchange, startExchange } from "../support/exchange.ts";
import { formatBid, readStat } from "../support/ledger.ts";
import {
  bidRequest,
  expectFullQuota,
  expectProblem,
  expectRefusal,
  MARKER,
  newClient,
} from "../support/problems.ts";
import { askOnce, openConnection, type RawRequest } from "../support/raw-http.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

/** Nobody bids, so that what costs quota is answered `no_bids` and nothing is left to chance. */
const SETTINGS = { TRUSTED_PROXIES: "127.0.0.1", NO_BID_PROBABILITY: "1" };
const NESTED_MS_MAX = 1_000;

const json = (value: unknown): RawRequest => ({ body: JSON.stringify(value) });
const country = (value: string): RawRequest => ({ headers: { "X-Country": value } });
const type = (value: string): RawRequest => ({ headers: { "Content-Type": value } });
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const padded = (bytes: number) => {
  const empty = JSON.stringify({ supply_id: "supply1", pad: "" }).length;
  return json({ supply_id: "supply1", pad: MARKER.padEnd(bytes - empty, "x") });
};

/** By what is wrong: the request, its status and code. */
const REFUSED: Record<string, [RawRequest, number, string]> = {
  "no body": [{ body: "" }, 400, "malformed_json"],
  "half a body": [{ body: `{"supply_id": "${MARKER}` }, 400, "malformed_json"],
  "a body that is text": [{ body: MARKER }, 400, "malformed_json"],
  "two bodies": [{ body: `{"${MARKER}": 1} {}` }, 400, "malformed_json"],
  "nesting that never ends": [{ body: "[".repeat(16_000) }, 400, "malformed_json"],
  "an unknown supply": [json({ supply_id: MARKER }), 400, "unknown_supply"],
  "the supply __proto__": [{ body: '{"supply_id":"__proto__"}' }, 400, "unknown_supply"],
  "the supply constructor": [json({ supply_id: "constructor" }), 400, "unknown_supply"],
  "the supply toString": [json({ supply_id: "toString" }), 400, "unknown_supply"],
  "a supply of control characters": [
    json({ supply_id: "\u0000\u001b[2J\n" }),
    400,
    "unknown_supply",
  ],
  "an unknown path": [{ path: `/${MARKER}?${MARKER}` }, 404, "not_found"],
  "a path in capitals": [{ path: "/BID" }, 404, "not_found"],
  "a path with a slash behind it": [{ path: "/bid/" }, 404, "not_found"],
  "a path by way of another": [{ path: "/stat/../bid" }, 404, "not_found"],
  "a path with a code in it": [{ path: "/%62id" }, 404, "not_found"],
  "the content type text": [type("text/plain"), 415, "unsupported_media_type"],
  "the content type of forms": [
    type("application/x-www-form-urlencoded"),
    415,
    "unsupported_media_type",
  ],
  "a content type like JSON": [type(`application/json${MARKER}`), 415, "unsupported_media_type"],
  "an empty content type": [type(""), 415, "unsupported_media_type"],
  "a field too long": [json({ supply_id: MARKER.repeat(10) }), 422, "invalid_request"],
  "a wide body": [
    {
      body: JSON.stringify(
        Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`k${i}`, 1])),
      ),
    },
    422,
    "invalid_request",
  ],
  "a supply from the prototype": [
    { body: '{"__proto__":{"supply_id":"supply1"}}' },
    422,
    "invalid_request",
  ],
};

/** Bodies and countries that break a rule, and the pointers of a 422. */
const INVALID: [RawRequest, string[]][] = [
  [json(null), ["#"]],
  [json([]), ["#"]],
  [json(MARKER), ["#"]],
  [json({}), ["#/supply_id"]],
  [json({ supply_id: 1 }), ["#/supply_id"]],
  [json({ supply_id: "" }), ["#/supply_id"]],
  [json({ supply_id: [[MARKER]] }), ["#/supply_id"]],
  [json({ supply_id: "a".repeat(65) }), ["#/supply_id"]],
  [json({ supply_id: "supply1", tmax: "100" }), ["#/tmax"]],
  [json({ supply_id: "supply1", tmax: null }), ["#/tmax"]],
  [json({ supply_id: "supply1", tmax: 0 }), ["#/tmax"]],
  [json({ supply_id: "supply1", tmax: -1 }), ["#/tmax"]],
  [json({ supply_id: "supply1", tmax: 1.5 }), ["#/tmax"]],
  [json({ supply_id: "supply1", tmax: 5001 }), ["#/tmax"]],
  [{ body: '{"supply_id":"supply1","tmax":1e400}' }, ["#/tmax"]],
  [country(""), ["#/headers/x-country"]],
  [country("USA"), ["#/headers/x-country"]],
  [country("U1"), ["#/headers/x-country"]],
  [country("ÜS"), ["#/headers/x-country"]],
  [country(`US, ${MARKER}`), ["#/headers/x-country"]],
  [
    { ...json({ supply_id: 1, tmax: MARKER }), ...country(MARKER) },
    ["#/supply_id", "#/tmax", "#/headers/x-country"],
  ],
];

/** Requests with several faults: the earlier check answers. */
const ORDERED: [string, RawRequest, number, string][] = [
  ["type before JSON", { body: "{", ...type("text/plain") }, 415, "unsupported_media_type"],
  ["JSON before country", { body: "{", ...country("USA") }, 400, "malformed_json"],
  ["schema before supply", { ...json({ supply_id: "x", tmax: 0 }) }, 422, "invalid_request"],
  [
    "country before supply",
    { ...json({ supply_id: "x" }), ...country("USA") },
    422,
    "invalid_request",
  ],
];

describe.each(["development", "production"])("with NODE_ENV=%s, a bid", (mode) => {
  let exchange: Exchange;
  const ask = (request: RawRequest | string) => askOnce(exchange.port, request);
  beforeAll(async () => {
    exchange = await startExchange({ env: { ...SETTINGS, NODE_ENV: mode } });
  });
  afterAll(() => exchange[Symbol.asyncDispose]());

  test.each(Object.entries(REFUSED))("with %s is refused and costs nothing", async (_, refused) => {
    const [request, status, code] = refused;
    const client = newClient();
    const id = "A-valid.id_1";
    const headers = { ...request.headers, "X-Request-Id": id };
    const answer = await ask(bidRequest({ ...request, headers }, client));
    expectProblem(answer, status, code);
    expect(answer.headers.get("x-request-id")).toBe(id);
    expect(answer.headers.has("ratelimit")).toBe(false);
    await expectFullQuota(exchange.port, client);
  });

  test("that breaks rules is told each of them, and it costs nothing", async () => {
    const client = newClient();
    for (const [request, pointers] of INVALID) {
      const answer = await ask(bidRequest(request, client));
      expectProblem(answer, 422, "invalid_request");
      const { errors } = JSON.parse(answer.body) as {
        errors: { pointer: string; detail: string }[];
      };
      expect(errors.map(({ pointer }) => pointer)).toEqual(pointers);
      for (const error of errors) expect(Object.keys(error)).toEqual(["pointer", "detail"]);
    }
    await expectFullQuota(exchange.port, client);
  });

  test("without a content type or a country is refused", async () => {
    const body = '{"supply_id":"supply1"}';
    const typed = { "Content-Type": "application/json" };
    expectProblem(
      await ask({ body, headers: { "X-Country": "US" } }),
      415,
      "unsupported_media_type",
    );
    expectProblem(await ask({ body, headers: typed }), 422, "invalid_request");
  });

  test.each(ORDERED)(
    "with two faults is told the earlier one: %s",
    async (_, request, status, code) => {
      expectProblem(await ask(bidRequest(request)), status, code);
    },
  );

  test("costs quota from the limiter on, and an exhausted client still learns its other faults", async () => {
    const client = newClient();
    const nobody = bidRequest(country("ZZ"), client);
    for (const left of [2, 1, 0]) {
      const answer = await ask(left === 1 ? bidRequest({}, client) : nobody);
      expectProblem(answer, 400, left === 1 ? "no_bids" : "no_eligible_bidders");
      expect(answer.headers.get("ratelimit")).toStartWith(`"ip";r=${left};t=`);
      expect(answer.headers.get("ratelimit-policy")).toBe('"ip";q=3;w=60');
    }
    expectProblem(await ask(nobody), 429, "rate_limited");
    expectProblem(
      await ask(bidRequest(json({ supply_id: MARKER }), client)),
      400,
      "unknown_supply",
    );
    expectProblem(await ask(bidRequest(type("text/plain"), client)), 415, "unsupported_media_type");
  });

  test("nested 2,000 levels deep is answered small and in time", async () => {
    const bodies = [
      nested(2_000),
      `{"supply_id": ${nested(2_000)}}`,
      '{"a":'.repeat(2_000).concat("1", "}".repeat(2_000)),
    ];
    for (const body of bodies) {
      const beganMs = performance.now();
      expectProblem(await ask(bidRequest({ body })), 422, "invalid_request");
      expect(performance.now() - beganMs).toBeLessThan(NESTED_MS_MAX);
    }
  });

  test("is taken up to 16 KiB; beyond, the runtime refuses it and it costs nothing", async () => {
    expectProblem(await ask(bidRequest(padded(16_384))), 400, "no_bids");
    const client = newClient();
    const huge = { "Content-Length": "99999999999" };
    const chunk = `5000\r\n${MARKER.padEnd(0x5000, "x")}\r\n0\r\n\r\n`;
    const refused: [RawRequest, number][] = [
      [padded(16_385), 413],
      [{ headers: huge, body: "" }, 413],
      [{ headers: { "Transfer-Encoding": "chunked" }, body: chunk }, 413],
      [{ headers: { "X-Big": MARKER.repeat(4_000) } }, 431],
      [{ path: `/bid?${MARKER.repeat(4_000)}` }, 431],
      [
        { headers: { "Content-Length": "5", "Transfer-Encoding": "chunked" }, body: "0\r\n\r\n" },
        400,
      ],
      [{ headers: { "Content-Length": `1${MARKER}` }, body: "{}" }, 400],
    ];
    for (const [request, status] of refused) {
      expectRefusal(await ask(bidRequest(request, client)), status);
    }
    await expectFullQuota(exchange.port, client);
  });

  test("in broken HTTP is refused by the runtime", async () => {
    const twoLengths = "Content-Length: 2\r\nContent-Length: 3\r\n";
    for (const head of [
      `POST /bid HTTP/1.1\r\nHost: x\r\n${twoLengths}\r\n{}`,
      `${MARKER}\r\n\r\n`,
    ]) {
      expectRefusal(await ask(head), 400);
    }
  });

  test("with a Host that is none is answered like any other", async () => {
    for (const host of ["", "[", "a b", "x:99999", MARKER]) {
      const unknown = await ask(`GET /nope HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expectProblem(unknown, 404, "not_found");
      const wrong = await ask(`DELETE /stat?x HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expectProblem(wrong, 405, "method_not_allowed");
    }
  });

  test.each([
    ["/bid", "POST"],
    ["/stat", "GET, HEAD"],
    ["/livez", "GET, HEAD"],
    ["/readyz", "GET, HEAD"],
    ["/openapi.json", "GET, HEAD"],
  ])("to %s is 405 with Allow by any method but %s", async (path, allowed) => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allowed.split(", ").includes(method)) continue;
      const answer = await ask({ method, path, headers: { "X-Marker": MARKER } });
      expectProblem(answer, 405, "method_not_allowed");
      expect(answer.headers.get("allow")).toBe(allowed);
    }
    const head = await ask({ method: "HEAD", path });
    expect({ status: head.status, size: head.size }).toEqual({
      status: allowed.includes("HEAD") ? 200 : 405,
      size: 0,
    });
  });

  test("may name its country in any case and its charset", async () => {
    for (const value of ["us", "Us", "uS"]) {
      expectProblem(await ask(bidRequest(country(value))), 400, "no_bids");
    }
    for (const value of ["application/json;charset=utf-8", "APPLICATION/JSON ; charset=UTF-8"]) {
      expectProblem(await ask(bidRequest(type(value))), 400, "no_bids");
    }
    expectProblem(
      await ask(bidRequest(json({ supply_id: "supply1", unknown: [1] }))),
      400,
      "no_bids",
    );
  });

  test("gets its own request id back when that is well formed, else one of ours", async () => {
    const idOf = async (given: string) => {
      const answer = await ask(bidRequest({ headers: { "X-Request-Id": given } }));
      expectProblem(answer, 400, "no_bids");
      return answer.headers.get("x-request-id")!;
    };
    for (const good of ["1", "a.B-c_9", "x".repeat(64)]) expect(await idOf(good)).toBe(good);
    for (const bad of ["", "x".repeat(65), `a ${MARKER}`, "ä", `<${MARKER}>`, `${MARKER}"`]) {
      expect(await idOf(bad)).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
    }
  });

  // The last one: what came before must have left nothing.
  test("that was refused leaves nothing in the statistics", async () => {
    const stat = await readStat(exchange.url);
    const catalog = await Bun.file("data/catalog.json").json();
    expect(Object.keys(stat)).toEqual(Object.keys(catalog.supplies));
    expect(Object.keys(stat.supply1!.reqs_per_country).sort()).toEqual(["US", "ZZ"]);
    expect(exchange.stdout() + exchange.stderr()).not.toContain(MARKER);
  });
});

describe("on Redis,", () => {
  let redis: TestRedis;
  let exchange: Exchange;
  beforeAll(async () => {
    redis = await startRedis();
    exchange = await startExchange({ env: { ...SETTINGS, REDIS_URL: redis.url } });
  });
  afterAll(async () => {
    await exchange[Symbol.asyncDispose]();
    await redis.stop();
  });

  test("refused bids leave no key", async () => {
    const client = new Bun.RedisClient(redis.url);
    const size = async () => Number(await client.send("DBSIZE", []));
    const before = await size();
    for (const [request] of Object.values(REFUSED))
      await askOnce(exchange.port, bidRequest(request));
    await readStat(exchange.url);
    expect(await size()).toBe(before);
    client.close();
  });

  test("GET /stat is 503 while Redis stands still, and right again afterwards", async () => {
    process.kill(redis.pid, "SIGSTOP");
    try {
      const answer = await askOnce(exchange.port, { method: "GET", path: "/stat" });
      expectProblem(answer, 503, "stats_unavailable");
      expect(answer.headers.get("retry-after")).toBe("1");
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await until("GET /stat answers again", async () => (await fetch(`${exchange.url}/stat`)).ok);
  });
});

test("what does not fit is refused as overloaded, at once and without quota", async () => {
  const fits = 1_024;
  const tooMany = 100;
  const env = { ...SETTINGS, WORKERS: "1", BIDDER_LATENCY_MS: "2000-2000", TMAX_DEFAULT: "4000" };
  await using exchange = await startExchange({ env });
  const clients = Array.from({ length: fits + tooMany }, newClient);
  const connections = await Promise.all(clients.map(() => openConnection(exchange.port)));
  const bidOf = (client: string) => formatBid({ supplyId: "supply1", country: "US", client });
  const answers = await Promise.all(connections.map((c, i) => c.ask(bidOf(clients[i]!))));
  for (const connection of connections) connection.close();

  const refused = clients.filter((_, i) => answers[i]!.status === 503);
  expect(refused).toHaveLength(tooMany);
  for (const answer of answers) {
    const isRefused = answer.status === 503;
    expectProblem(answer, isRefused ? 503 : 400, isRefused ? "overloaded" : "no_bids");
    if (isRefused) expect(answer.headers.get("retry-after")).toBe("1");
  }
  await Promise.all(refused.map((client) => expectFullQuota(exchange.port, client)));
});
