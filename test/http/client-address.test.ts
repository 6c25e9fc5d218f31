import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createClientAddresses } from "../../src/http/client-address.ts";

const PROXY = "10.0.0.1";
const direct = createClientAddresses([]).keyOf;
const proxied = createClientAddresses(["10.0.0.0/8", "2001:db8:ffff::/48"]).keyOf;
/** The client of a header that the trusted proxy passed on. */
const behindProxy = (forwardedFor: string) => proxied(PROXY, forwardedFor);

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const parts = fc.tuple(...Array.from({ length: 8 }, () => fc.nat(0xffff)));
const hex = (part: number) => part.toString(16);

/** Spellings of one IPv6 address: with zeros or without, upper case, shortened, with a zone. */
function spellingsOf(words: readonly number[]): string[] {
  const full = words.map(hex).join(":");
  const padded = words.map((word) => hex(word).padStart(4, "0")).join(":");
  const zeros = /(^|:)0(:0)+(:|$)/.exec(full);
  const short = zeros ? full.replace(zeros[0], "::") : full;
  return [full, padded, full.toUpperCase(), padded.toUpperCase(), short, `${full}%eth0`];
}

describe("client of a direct connection", () => {
  test("is the address of the socket", () => {
    expect(direct("192.0.2.7", null)).toBe("192.0.2.7");
  });

  test("is never read from the header when no proxy is trusted", () => {
    expect(direct("192.0.2.7", "198.51.100.1")).toBe("192.0.2.7");
    expect(direct("::1", "198.51.100.1")).toBe("0:0:0:0::/64");
  });

  test("is never read from the header when the peer is not trusted", () => {
    expect(proxied("192.0.2.7", "198.51.100.1")).toBe("192.0.2.7");
  });

  test("is one shared client where the socket is gone or its address is none", () => {
    expect(direct(undefined, "1.2.3.4")).toBe(direct("not:an:address", null));
    expect(proxied(undefined, null)).toBe(direct(undefined, null));
  });

  test("is an IPv6 /64: neighbours within are one client, those outside are not", () => {
    const key = direct("2001:db8:1:2::1", null);
    expect(direct("2001:db8:1:2:ffff:ffff:ffff:ffff", null)).toBe(key);
    expect(direct("2001:db8:1:3::1", null)).not.toBe(key);
  });

  test("is the same for every spelling of an IPv4 address", () => {
    fc.assert(
      fc.property(octets, ([a, b, c, d]) => {
        const plain = `${a}.${b}.${c}.${d}`;
        const words = `${hex(a * 256 + b)}:${hex(c * 256 + d)}`;
        const spellings = [
          `::ffff:${plain}`,
          `::FFFF:${plain}`,
          `0:0:0:0:0:ffff:${plain}`,
          `::ffff:${words}`,
          `0000:0000:0000:0000:0000:ffff:${words}`,
          `::ffff:${plain}%eth0`,
        ];
        for (const clientOf of [direct, proxied]) {
          expect(clientOf(plain, null)).toBe(plain);
          for (const spelling of spellings) expect(clientOf(spelling, null)).toBe(plain);
        }
      }),
    );
  });

  test("is the same for every spelling of an IPv6 address, and another for another /64", () => {
    fc.assert(
      fc.property(parts, parts, (words, others) => {
        const keys = new Set(spellingsOf(words).map((spelling) => direct(spelling, null)));
        expect(keys.size).toBe(1);
        const isMapped = (all: readonly number[]) => all.slice(0, 5).every((word) => word === 0);
        const isSameNetwork = words.slice(0, 4).join() === others.slice(0, 4).join();
        if (isMapped(words) || isMapped(others)) return;
        const other = direct(spellingsOf(others)[0], null);
        expect(keys.has(other)).toBe(isSameNetwork);
      }),
    );
  });
});

describe("client behind a trusted proxy", () => {
  test("is the peer when there is no header", () => {
    expect(proxied(PROXY, null)).toBe(PROXY);
  });

  test("is the first untrusted address from the right", () => {
    expect(behindProxy("192.0.2.7")).toBe("192.0.2.7");
    expect(behindProxy("198.51.100.1, 192.0.2.7")).toBe("192.0.2.7");
    expect(behindProxy("198.51.100.1,192.0.2.7 , 10.9.9.9")).toBe("192.0.2.7");
    expect(behindProxy("192.0.2.7, 2001:db8:ffff::5, 10.9.9.9")).toBe("192.0.2.7");
  });

  test("is the leftmost address when all are trusted", () => {
    expect(behindProxy("10.3.0.1, 10.2.0.1")).toBe("10.3.0.1");
  });

  test("cannot be chosen by the client, who writes to the left only", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("1.2.3.4", "10.5.5.5", "junk", "", "::1")), (forged) => {
        const header = [...forged, "192.0.2.7"].join(", ");
        expect(behindProxy(header)).toBe("192.0.2.7");
      }),
    );
  });

  test.each([
    ["192.0.2.7:4711", "192.0.2.7"],
    ["[2001:db8:1:2::7]:4711", "2001:db8:1:2::/64"],
    ["[2001:db8:1:2::7]", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::7", "2001:db8:1:2::/64"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["[::ffff:192.0.2.7]:1", "192.0.2.7"],
  ])("is read from %p", (token, client) => {
    expect(behindProxy(token)).toBe(client);
  });

  test.each([
    "",
    "unknown",
    "_hidden",
    "0x7f.1",
    "127.1",
    "2130706433",
    "010.1.1.1",
    "1.2.3.4.5",
    "256.1.1.1",
    "[2001:db8:1:2::12",
    "[2001:db8::1]x",
    "2001:db8:1:2::7]",
    "[]",
    "1.2.3.4/8",
    "__proto__",
  ])("is the hop before a token that is no address: %p", (token) => {
    expect(behindProxy(token)).toBe(PROXY);
    expect(behindProxy(`192.0.2.7, ${token}`)).toBe(PROXY);
    expect(behindProxy(`192.0.2.7, ${token}, 10.2.0.1`)).toBe("10.2.0.1");
  });

  test("is looked for in the last 16 hops and 512 characters", () => {
    const hops = (count: number) => ["192.0.2.7", ...Array(count - 1).fill("10.2.0.1")].join(",");
    expect(behindProxy(hops(16))).toBe("192.0.2.7");
    expect(behindProxy(hops(17))).toBe("10.2.0.1");
    expect(behindProxy(`${hops(500)},192.0.2.9`)).toBe("192.0.2.9");
    expect(behindProxy(`${"1".repeat(600)},192.0.2.9`)).toBe("192.0.2.9");
    // The last 512 characters begin with 2.0.2.7.
    expect(behindProxy(`192.0.2.7,${"10.2.0.1".padStart(504)}`)).toBe("10.2.0.1");
    const padded = (length: number) => "192.0.2.7".padStart(length);
    expect(behindProxy(padded(512))).toBe("192.0.2.7");
    expect(behindProxy(padded(513))).toBe(PROXY);
  });

  test.each(["10.0.0.1/32", "::ffff:10.0.0.1/128", "::ffff:10.0.0.0/104", "::ffff:a00:1/128"])(
    "is found however the range %p is spelt, and the peer",
    (range) => {
      const clientOf = createClientAddresses([range]).keyOf;
      for (const peer of [PROXY, `::ffff:${PROXY}`]) {
        expect(clientOf(peer, "192.0.2.7")).toBe("192.0.2.7");
      }
      expect(clientOf("11.0.0.1", "192.0.2.7")).toBe("11.0.0.1");
    },
  );

  test("is not read through a range of the other kind", () => {
    expect(createClientAddresses(["::/0"]).keyOf(PROXY, "192.0.2.7")).toBe(PROXY);
    expect(createClientAddresses(["0.0.0.0/0"]).keyOf("2001:db8::1", "192.0.2.7")).toBe(
      "2001:db8:0:0::/64",
    );
  });
});

describe("the address of a client", () => {
  const { ipOf } = createClientAddresses(["10.0.0.0/8"]);

  test("is whole, in canonical text, where its key is shortened", () => {
    expect(ipOf("2001:DB8:0:0::1", null)).toBe("2001:db8::1");
    expect(ipOf("::ffff:192.0.2.7", null)).toBe("192.0.2.7");
  });

  test("is of the first untrusted hop, as its key is", () => {
    expect(ipOf("10.0.0.1", "2001:db8::7, 10.0.0.2")).toBe("2001:db8::7");
    expect(ipOf("192.0.2.7", "198.51.100.1")).toBe("192.0.2.7");
  });

  test("is unknown when the socket is gone", () => {
    expect(ipOf(undefined, "198.51.100.1")).toBeUndefined();
    expect(ipOf("no address", null)).toBeUndefined();
  });
});
