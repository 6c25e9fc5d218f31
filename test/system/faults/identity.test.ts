import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { startExchange } from "../../support/exchange.ts";
import { printFigures } from "../../support/faults.ts";
import { formatBid } from "../../support/ledger.ts";
import { openConnection } from "../../support/raw-http.ts";
import { STORES, startStore } from "../../support/stores.ts";

setDefaultTimeout(60_000);

const PARALLEL = 20;
const MAX = 3;
const numbers = Array.from({ length: PARALLEL }, (_, n) => n);

/** Without IPv6 in the kernel there is only the other family to ask by. */
const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);
const HOST = hasIpv6 ? "::" : "0.0.0.0";
const LOOPBACK = hasIpv6 ? "::1" : "127.0.0.1";

interface Ask {
  /** Address to connect to; the peer's is then the same. */
  readonly by: string;
  readonly forwardedFor?: string;
}

/** Asks on as many connections, all at once. @returns how many were admitted */
async function admittedOf(port: number, asks: readonly Ask[]): Promise<number> {
  const connections = await Promise.all(asks.map(({ by }) => openConnection(port, by)));
  const answers = await Promise.all(
    asks.map(({ forwardedFor: client }, n) => {
      const bid = { supplyId: "supply1", country: "US", ...(client && { client }) };
      return connections[n]!.ask(formatBid(bid));
    }),
  );
  for (const connection of connections) connection.close();
  const refused = answers.filter(({ status }) => status === 429).length;
  const admitted = answers.filter(({ status }) => status === 200 || status === 400).length;
  expect(admitted + refused).toBe(asks.length);
  return admitted;
}

describe.each(STORES)("one client, on the store %s,", (kind) => {
  test("is its socket's address in either family, whatever X-Forwarded-For it forges", async () => {
    await using store = await startStore(kind);
    await using exchange = await startExchange({ env: { ...store.env, HOST } });
    const forged = ["10.0.0.1", "::1", "127.0.0.1, 10.1.1.1", "unknown", "2001:db8::1"];
    const forge = (n: number) => (n % 2 === 0 ? `10.9.9.${n}` : forged[n % forged.length]!);
    const ipv4 = numbers.map((n) => ({ by: "127.0.0.1", forwardedFor: forge(n) }));
    const admitted: Record<string, number> = { ipv4: await admittedOf(exchange.port, ipv4) };
    if (hasIpv6) {
      const ipv6 = numbers.map((n) => ({ by: "::1", forwardedFor: forge(n) }));
      admitted.ipv6 = await admittedOf(exchange.port, ipv6);
      // The same peer as the first, in the other spelling.
      const mapped = numbers.map(() => ({ by: "::ffff:127.0.0.1" }));
      expect(await admittedOf(exchange.port, mapped)).toBe(0);
    }
    expect(new Set(Object.values(admitted))).toEqual(new Set([MAX]));
    if (store.redis) {
      const redis = new Bun.RedisClient(store.redis.url);
      const keys = (await redis.send("KEYS", ["rl:*"])) as string[];
      redis.close();
      expect(keys).toHaveLength(Object.keys(admitted).length);
    }
    printFigures(`forged addresses, ${kind}`, { of: PARALLEL, ...admitted });
  });

  test("is an IPv6 /64 and every spelling of an address, behind a proxy", async () => {
    await using store = await startStore(kind);
    const env = { ...store.env, HOST, TRUSTED_PROXIES: `${LOOPBACK},192.0.2.0/24` };
    await using exchange = await startExchange({ env });
    const admitted = (clientOf: (n: number) => string) =>
      admittedOf(
        exchange.port,
        numbers.map((n) => ({ by: LOOPBACK, forwardedFor: clientOf(n) })),
      );
    const hex = (n: number) => (n * 0x9e3779b1).toString(16).slice(0, 4);
    const rotated = (n: number) => `2001:db8:0:7:${hex(n + 1)}:${hex(n + 2)}:0:${hex(n + 3)}`;
    const spelled = ["203.0.113.9", "::ffff:203.0.113.9", "::FFFF:CB00:7109", "[::ffff:cb00:7109]"];
    const figures = {
      "in one /64": await admitted(rotated),
      "in the next /64": await admitted((n) => rotated(n).replace(":7:", ":8:")),
      "spellings of one IPv4": await admitted((n) => spelled[n % spelled.length]!),
      "forged in front of the proxy": await admitted((n) => `10.0.0.${n}, 203.0.113.10, 192.0.2.1`),
    };
    expect(new Set(Object.values(figures))).toEqual(new Set([MAX]));
    printFigures(`rotated addresses, ${kind}`, { of: PARALLEL, ...figures });
  });
});
