import { describe, expect, test } from "bun:test";
import { createAddressBook } from "../../src/bidders/address-book.ts";

/** A book with a clock and a resolver that a test speaks for. */
function bookOf(host: string, { allowPrivate = true } = {}) {
  const lookups: PromiseWithResolvers<readonly string[]>[] = [];
  let nowMs = 0;
  const book = createAddressBook({
    host,
    egress: { allowPrivate },
    now: () => nowMs,
    lookup: () => {
      const answer = Promise.withResolvers<readonly string[]>();
      lookups.push(answer);
      return answer.promise;
    },
  });
  return {
    ...book,
    lookups,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe("address book", () => {
  test("needs no lookup for an address", () => {
    expect(bookOf("192.0.2.1").address()).toBe("192.0.2.1");
    expect(bookOf("2606:4700::1", { allowPrivate: false }).address()).toBe("2606:4700::1");
  });

  test("refuses an address that is not public", () => {
    const { address } = bookOf("10.0.0.1", { allowPrivate: false });
    expect(address).toThrow("10.0.0.1 is 10.0.0.1, which is private: not called");
  });

  test("asks once for all who wait, and not again for 30 s", async () => {
    const { address, lookups, pass } = bookOf("b.test");
    const waiting = [address(), address()];
    lookups[0]!.resolve(["192.0.2.1"]);
    expect(await Promise.all(waiting)).toEqual(["192.0.2.1", "192.0.2.1"]);
    pass(29_999);
    expect(address()).toBe("192.0.2.1");
    expect(lookups.length).toBe(1);
  });

  test("hands out the old answer while it asks again, then the new one", async () => {
    const { address, lookups, pass } = bookOf("b.test");
    const first = address();
    lookups[0]!.resolve(["192.0.2.1"]);
    await first;
    pass(30_000);
    expect([address(), address()]).toEqual(["192.0.2.1", "192.0.2.1"]);
    expect(lookups.length).toBe(2);
    lookups[1]!.resolve(["192.0.2.2"]);
    await Bun.sleep(0);
    expect(address()).toBe("192.0.2.2");
  });

  test("keeps the old answer where DNS fails, and asks again at the next call", async () => {
    const { address, lookups, pass } = bookOf("b.test");
    const first = address();
    lookups[0]!.resolve(["192.0.2.1"]);
    await first;
    pass(30_000);
    address();
    lookups[1]!.reject(new Error("no answer"));
    await Bun.sleep(0);
    expect(address()).toBe("192.0.2.1");
    expect(lookups.length).toBe(3);
  });

  test("drops the old answer when the name has been turned to a private address", async () => {
    const { address, lookups, pass } = bookOf("b.test", { allowPrivate: false });
    const first = address();
    lookups[0]!.resolve(["1.1.1.1"]);
    await first;
    pass(30_000);
    address();
    lookups[1]!.resolve(["169.254.169.254"]);
    await Bun.sleep(0);
    const next = address() as Promise<string>;
    lookups[2]!.resolve(["169.254.169.254"]);
    expect(await next.catch((error: Error) => error.message)).toBe(
      "b.test is 169.254.169.254, which is linkLocal: not called",
    );
  });

  test("hands out only those of several addresses that are public, one after the other", async () => {
    const { address, lookups, turn } = bookOf("b.test", { allowPrivate: false });
    const first = address();
    lookups[0]!.resolve(["10.0.0.1", "1.1.1.1", "::1", "8.8.8.8"]);
    expect(await first).toBe("1.1.1.1");
    turn();
    expect(address()).toBe("8.8.8.8");
    turn();
    expect(address()).toBe("1.1.1.1");
  });

  test("fails where a name has no address", async () => {
    const { address, lookups } = bookOf("b.test");
    const first = address() as Promise<string>;
    lookups[0]!.resolve([]);
    expect(await first.catch((error: Error) => error.message)).toBe("b.test has no address");
  });

  test("knows the names of this machine by itself", async () => {
    const book = createAddressBook({ host: "localhost", egress: { allowPrivate: true } });
    expect(["127.0.0.1", "::1"]).toContain(await book.address());
  });
});
