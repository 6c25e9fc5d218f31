import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Exchange, startExchange } from "../support/exchange.ts";
import { clientAddress, formatBid } from "../support/ledger.ts";
import { openConnection, type RawAnswer } from "../support/raw-http.ts";
import { STORES, startStore, type TestStore } from "../support/stores.ts";

setDefaultTimeout(60_000);

const PARALLEL = 60;
const MAX = 3;

/** Sends all requests at once, each on a connection of its own that is open already. */
async function askAtOnce(port: number, requests: readonly string[]): Promise<RawAnswer[]> {
  const connections = await Promise.all(requests.map(() => openConnection(port)));
  const answers = await Promise.all(connections.map((c, i) => c.ask(requests[i]!)));
  for (const connection of connections) connection.close();
  return answers;
}

const bidOf = (client?: string) =>
  formatBid({ supplyId: "supply1", country: "US", ...(client !== undefined && { client }) });
const repeat = (request: string) => Array.from({ length: PARALLEL }, () => request);
const isAdmitted = ({ status }: RawAnswer) => status === 200 || status === 400;

function expectExactlyThree(answers: readonly RawAnswer[]): void {
  const admitted = answers.filter(isAdmitted);
  expect(admitted).toHaveLength(MAX);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(answers.length - MAX);
}

describe.each(STORES)("the limit, on the store %s,", (kind) => {
  let store: TestStore;
  /** Clients are peers here: X-Forwarded-For is not trusted. */
  let direct: Exchange;
  let proxied: Exchange;
  beforeAll(async () => {
    store = await startStore(kind);
    direct = await startExchange({ env: store.env });
    proxied = await startExchange({ env: { ...store.env, TRUSTED_PROXIES: "127.0.0.0/8" } });
  });
  afterAll(async () => {
    await proxied[Symbol.asyncDispose]();
    await direct[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  test("admits 3 of 60 parallel requests, whatever X-Forwarded-For they forge", async () => {
    const forged = repeat("").map((_, n) => bidOf(clientAddress(n)));
    const answers = await askAtOnce(direct.port, forged);
    expectExactlyThree(answers);
    expectExactlyThree([...answers, ...(await askAtOnce(direct.port, forged))]);

    const headersOf = (name: string) => answers.map(({ headers }) => headers.get(name));
    expect(new Set(headersOf("ratelimit-policy"))).toEqual(new Set(['"ip";q=3;w=60']));
    const left = answers.map(
      ({ headers }) => /^"ip";r=(\d+);t=(\d+)$/.exec(headers.get("ratelimit")!)!,
    );
    const leftOfAdmitted = left.filter((_, i) => isAdmitted(answers[i]!)).map(([, r]) => Number(r));
    expect(leftOfAdmitted.sort()).toEqual([0, 1, 2]);
    for (const [i, { status, headers, body }] of answers.entries()) {
      const resetSeconds = Number(left[i]![2]);
      expect(resetSeconds).toBeGreaterThanOrEqual(1);
      expect(resetSeconds).toBeLessThanOrEqual(60);
      expect(headers.get("cache-control")).toBe("no-store");
      if (status !== 429) {
        expect(headers.has("retry-after")).toBe(false);
        continue;
      }
      expect(left[i]![1]).toBe("0");
      expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(Number(headers.get("retry-after"))).toBe(resetSeconds);
      expect(headers.get("content-type")).toBe("application/problem+json");
      expect(JSON.parse(body)).toMatchObject({ status: 429, code: "rate_limited" });
    }
  });

  test("admits 3 of 60 parallel requests of each client behind a proxy, 10 times of 10", async () => {
    for (let client = 1; client <= 10; client++) {
      expectExactlyThree(await askAtOnce(proxied.port, repeat(bidOf(clientAddress(client)))));
    }
  });

  test("takes every spelling of an address, and an IPv6 /64, for one client", async () => {
    const spellings = {
      ipv4: [
        "192.0.2.7",
        "::ffff:192.0.2.7",
        "::FFFF:C000:0207",
        "192.0.2.7:4711",
        "[::ffff:192.0.2.7]:1",
      ],
      ipv6: ["2001:db8::1", "2001:0DB8:0:0:ffff::2", "[2001:db8::3]:443", "2001:db8:0:0::4"],
    };
    for (const same of Object.values(spellings)) {
      const requests = Array.from({ length: 20 }, (_, n) => bidOf(same[n % same.length]!));
      expectExactlyThree(await askAtOnce(proxied.port, requests));
    }
  });

  test("trusts the addresses that the proxy added, not those that the client wrote", async () => {
    const chains = repeat("").map((_, n) => bidOf(`${clientAddress(n)}, 198.51.100.1, 127.0.0.9`));
    expectExactlyThree(await askAtOnce(proxied.port, chains));
  });

  if (kind === "redis") {
    test("leaves an expiry on every key, and one member for each admission", async () => {
      const redis = new Bun.RedisClient(store.redis!.url);
      const keys = (await redis.send("KEYS", ["rl:*"])) as string[];
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) {
        const ttlMs = Number(await redis.send("PTTL", [key]));
        expect(ttlMs).toBeGreaterThan(0);
        expect(ttlMs).toBeLessThanOrEqual(61_000);
        expect(Number(await redis.send("ZCARD", [key]))).toBe(MAX);
      }
      redis.close();
    });
  }

  test("lets a client in again when its window is over", async () => {
    const env = { ...store.env, TRUSTED_PROXIES: "127.0.0.1", RATE_LIMIT_WINDOW_SECONDS: "1" };
    await using exchange = await startExchange({ env });
    const requests = repeat(bidOf("203.0.113.1"));
    const answers = await askAtOnce(exchange.port, requests);
    expectExactlyThree(answers);
    const refused = answers.find(({ status }) => status === 429)!;
    await Bun.sleep(Number(refused.headers.get("retry-after")) * 1000);
    expectExactlyThree(await askAtOnce(exchange.port, requests));
  });

  test("is off at RATE_LIMIT_MAX_REQUESTS=0", async () => {
    const env = { ...store.env, RATE_LIMIT_MAX_REQUESTS: "0" };
    await using exchange = await startExchange({ env });
    const answers = await askAtOnce(exchange.port, repeat(bidOf()));
    expect(answers.filter(isAdmitted)).toHaveLength(PARALLEL);
    expect(answers.some(({ headers }) => headers.has("ratelimit"))).toBe(false);
  });
});
