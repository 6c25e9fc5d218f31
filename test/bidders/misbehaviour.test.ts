import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { jsonAnswer, type Scene, serveBidder } from "../support/bidder-server.ts";
import { ask, entryOf, httpBidderOf } from "../support/http-bidders.ts";
import { megabytes, residentBytes } from "../support/memory.ts";
import { until } from "../support/until.ts";

const AUCTION = "auction-1";
const bodyOf = (bid: object, rest: object = {}) => ({
  id: AUCTION,
  seatbid: [{ bid: [{ id: "1", impid: "1", price: 0.5, ...bid }] }],
  ...rest,
});
/** The same with a price that JSON.stringify would not write. */
const priced = (price: string) =>
  JSON.stringify(bodyOf({ price: 0 })).replace('"price":0', `"price":${price}`);
const GOOD = bodyOf({});

/** What a bidder's answer on the wire becomes. */
async function judge(scene: Scene | undefined) {
  await using server = serveBidder(() => scene);
  const { answer, end } = ask(httpBidderOf(entryOf(server.url)));
  const response = await answer;
  end("decided");
  return response;
}

describe("a bidder's answer", () => {
  test.each([
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", {}],
    ["an empty object", jsonAnswer({}), {}],
    ["no seat bids", jsonAnswer({ id: AUCTION, seatbid: [] }), {}],
    ["no seat bids and a reason", jsonAnswer({ id: AUCTION, seatbid: [], nbr: 8 }), { nbr: 8 }],
    ["a reason alone", jsonAnswer({ id: AUCTION, nbr: 2 }), { nbr: 2 }],
  ])("with %s is a no-bid", async (_, text, rest) => {
    expect(await judge({ pieces: [text] })).toEqual({ kind: "noBid", ...rest });
  });

  test("that is good is a bid, also when it is compressed or comes in chunks", async () => {
    const zipped = gzipSync(JSON.stringify(GOOD));
    const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n`;
    const text = JSON.stringify(GOOD);
    const chunks = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n${text.slice(0, 5)}\r\n`;
    const rest = `${(text.length - 5).toString(16)}\r\n${text.slice(5)}\r\n0\r\n\r\n`;
    const bid = { kind: "bid", priceMicros: 500_000 } as const;
    expect(await judge({ pieces: [jsonAnswer(GOOD)] })).toEqual(bid);
    expect(await judge({ pieces: [head, zipped] })).toEqual(bid);
    expect(await judge({ pieces: [chunks, rest] })).toEqual(bid);
  });

  test.each([
    [
      "another auction's id",
      { ...GOOD, id: "auction-2" },
      5,
      'id "auction-2", expected "auction-1"',
    ],
    ["another impression", bodyOf({ impid: "2" }), 3, 'impid "2", expected "1"'],
    ["a foreign currency", bodyOf({}, { cur: "EUR" }), 3, "cur EUR, expected USD"],
    ["a negative price", bodyOf({ price: -1 }), 9, "price -1, expected above 0"],
    ["a price of nothing", bodyOf({ price: 0 }), 9, "price 0, expected above 0"],
    [
      "a price below a millionth",
      bodyOf({ price: 1e-7 }),
      9,
      "price 1e-7, expected at least 0.000001",
    ],
    [
      "a price above the most",
      bodyOf({ price: 1000.01 }),
      9,
      "price 1000.01, expected at most 1000",
    ],
    [
      "a price that is text",
      bodyOf({ price: "0.5" }),
      9,
      'seatbid/0/bid/0/price "0.5", expected number',
    ],
    ["a price of 1e309", priced("1e309"), 9, "seatbid/0/bid/0/price Infinity, expected number"],
    [
      "two bids with one id",
      { id: AUCTION, seatbid: [GOOD.seatbid[0], GOOD.seatbid[0]] },
      3,
      'two bids with id "1", expected one',
    ],
    [
      "a price that is not a number",
      priced("NaN"),
      3,
      'body "{\\"id\\":\\"auction-1\\",\\"seatbid\\":[{\\"b..., expected JSON',
    ],
    ["no JSON", "<html>", 3, 'body "<html>", expected JSON'],
    ["nothing", "", 3, 'body "", expected JSON'],
    [
      "half of it",
      JSON.stringify(GOOD).slice(0, -1),
      3,
      'body "{\\"id\\":\\"auction-1\\",\\"seatbid\\":[{\\"b..., expected JSON',
    ],
    ["brackets without end", "[".repeat(60_000), 3, `body "${"[".repeat(39)}..., expected JSON`],
  ])("with %s is invalid", async (_, body, code, reason) => {
    expect(await judge({ pieces: [jsonAnswer(body)] })).toEqual({ kind: "invalid", code, reason });
  });

  test("with a price of 17 decimals is a bid of whole micros", async () => {
    expect(await judge({ pieces: [jsonAnswer(priced("0.12345678901234567"))] })).toEqual({
      kind: "bid",
      priceMicros: 123_457,
    });
  });

  test.each([
    ["500", "HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno", "status 500"],
    ["503 and a bid", jsonAnswer(GOOD).replace("200", "503"), "status 503"],
    ["400", "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n", "status 400"],
    ["201 and a bid", jsonAnswer(GOOD).replace("200", "201"), "status 201"],
    [
      "a head of 16 KiB",
      `HTTP/1.1 200 OK\r\na: ${"x".repeat(16_384)}`,
      "head of too many bytes, expected at most 16384",
    ],
    ["two lengths", jsonAnswer(GOOD, "content-length: 2\r\n"), "two lengths of the body"],
    ["another protocol", "SSH-2.0-OpenSSH\r\n\r\n", 'status line "SSH-2.0-OpenSSH"'],
  ])("of %s is an error", async (_, text, reason) => {
    expect(await judge({ pieces: [text] })).toEqual({ kind: "error", reason });
  });

  test("of a server that closes, resets or is away is an error", async () => {
    expect(await judge({ end: "close" })).toEqual({
      kind: "error",
      reason: "connection closed without an answer",
    });
    expect(await judge({ pieces: ["HTTP/1.1 200 OK\r\n"], end: "reset" })).toMatchObject({
      kind: "error",
      reason: expect.stringMatching(/ECONNRESET|connection closed within the answer/),
    });
    const server = serveBidder(() => undefined);
    await server[Symbol.asyncDispose]();
    expect(await ask(httpBidderOf(entryOf(server.url))).answer).toMatchObject({
      kind: "error",
      reason: expect.stringMatching(/^ECONNREFUSED/),
    });
  });

  test("that redirects is an error, and where it leads is never contacted", async () => {
    await using canary = serveBidder(() => ({ pieces: [jsonAnswer(GOOD)] }));
    for (const status of [301, 302, 303, 307, 308]) {
      const text = `HTTP/1.1 ${status} Moved\r\nlocation: ${canary.url}\r\ncontent-length: 0\r\n\r\n`;
      expect(await judge({ pieces: [text] })).toEqual({
        kind: "error",
        reason: `status ${status}, redirects are not followed`,
      });
    }
    expect(canary.accepted()).toBe(0);
  });

  test.each([
    ["nothing at all", undefined],
    ["its head alone", { pieces: ["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"] }],
    ["a drip of bytes", { pieces: [...`HTTP/1.1 200 OK\r\na: ${"x".repeat(10_000)}`] }],
  ] as [string, Scene | undefined][])(
    "with %s is a timeout, and its connection is closed",
    async (_, scene) => {
      await using server = serveBidder(() => scene);
      const { answer } = ask(httpBidderOf(entryOf(server.url)), { tmaxMs: 60 });
      expect(await answer).toEqual({ kind: "timeout", reason: "no answer within 60 ms" });
      await until("the connection is closed", () => server.open() === 0);
    },
  );
});

describe("memory", () => {
  const CALLS = 50;

  /** Resident memory that a burst of calls adds, megabytes, and what they became. */
  async function costOf(scene: Scene) {
    await using server = serveBidder(() => scene);
    const bidder = httpBidderOf(entryOf(server.url));
    Bun.gc(true);
    const before = residentBytes([process.pid]);
    const answers = await Promise.all(
      Array.from({ length: CALLS }, () => ask(bidder, { tmaxMs: 10_000 }).answer),
    );
    const cost = megabytes(residentBytes([process.pid]) - before);
    await until("every connection is closed", () => server.open() === 0);
    return { cost, kinds: new Set(answers.map(({ kind }) => kind)) };
  }

  test("a body of 1 GB, with or without its length, is read to 64 KiB and dropped", async () => {
    const part = Buffer.alloc(1_048_576, "x");
    const endless = Array.from({ length: 1_000 }, () => part);
    const known = "HTTP/1.1 200 OK\r\ncontent-length: 1048576000\r\n\r\n";
    const unknown = "HTTP/1.1 200 OK\r\n\r\n";
    for (const head of [known, unknown]) {
      const { cost, kinds } = await costOf({ pieces: [head, ...endless] });
      expect(kinds).toEqual(new Set(["error"]));
      expect(cost).toBeLessThan(64);
    }
  }, 60_000);

  test("a gzip bomb is unpacked to 64 KiB and dropped", async () => {
    const bomb = gzipSync(Buffer.alloc(60_000_000));
    const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`;
    expect(bomb.length).toBeLessThan(65_536);
    const { cost, kinds } = await costOf({ pieces: [head, bomb] });
    expect(kinds).toEqual(new Set(["error"]));
    expect(cost).toBeLessThan(64);
  }, 60_000);
});
