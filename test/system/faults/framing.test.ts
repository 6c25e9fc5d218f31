import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { auctionsOf, expectCountedOnce } from "../../support/counting.ts";
import { type Exchange, startExchange } from "../../support/exchange.ts";
import { printFigures } from "../../support/faults.ts";
import { clientAddress, formatBid, readStat } from "../../support/ledger.ts";
import { expectFullQuota } from "../../support/problems.ts";
import { openSocket, type RawSocket } from "../../support/raw-sockets.ts";
import { startSteadyLoad, untilAnswered } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(60_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const ATTACKER = "198.51.100.1";
const VICTIM = "198.51.100.2";
/** A country that nobody asks for, so that a hidden request that is served shows. */
const HIDDEN = formatBid({ supplyId: "supply1", country: "QQ", client: VICTIM });
const LINES = [
  "POST /bid HTTP/1.1",
  "Host: exchange",
  "Content-Type: application/json",
  "X-Country: QQ",
  `X-Forwarded-For: ${ATTACKER}`,
];
const BODY = '{"supply_id":"supply1"}';
const LENGTH = `Content-Length: ${BODY.length}`;
const CHUNKED = "Transfer-Encoding: chunked";

const bid = (headers: readonly string[], body: string, lines: readonly string[] = LINES) =>
  `${[...lines, ...headers].join("\r\n")}\r\n\r\n${body}`;
const inChunk = (size: string, body = BODY) => `${size}\r\n${body}\r\n0\r\n\r\n`;
const chunked = (body: string) => inChunk(body.length.toString(16), body);
const spoiltLine = (from: string, to: string) => LINES.map((line) => line.replace(from, to));

/** What ends the connection, by the answer before that. */
const BROKEN: Record<number, Record<string, string>> = {
  400: {
    "length and chunks": bid([LENGTH, CHUNKED], chunked(BODY)),
    "chunks and length": bid([CHUNKED, "Content-Length: 5"], "0\r\n\r\n"),
    "two lengths": bid([LENGTH, "Content-Length: 3"], BODY),
    "a list of lengths": bid([`${LENGTH}, ${BODY.length}`], BODY),
    "a length below zero": bid(["Content-Length: -1"], BODY),
    "a length with a plus": bid(["Content-Length: +18"], BODY),
    "a length in hex": bid(["Content-Length: 0x17"], BODY),
    "an empty length": bid(["Content-Length: "], BODY),
    "a length with a space": bid(["Content-Length: 2 3"], BODY),
    "a length beyond 64 bits": bid(["Content-Length: 18446744073709551639"], BODY),
    "a space before the colon": bid([LENGTH.replace(":", " :")], BODY),
    "a folded header": bid(["X-A: b", " Content-Length: 3", LENGTH], BODY),
    "a folded coding": bid(["Transfer-Encoding:", " chunked"], chunked(BODY)),
    "an unknown coding": bid(["Transfer-Encoding: xchunked"], chunked(BODY)),
    "a coding after chunked": bid([`${CHUNKED}, identity`], chunked(BODY)),
    "a coding before chunked": bid(["Transfer-Encoding: identity, chunked"], chunked(BODY)),
    "two codings": bid([CHUNKED, "Transfer-Encoding: identity"], chunked(BODY)),
    "a coding behind a tab": bid(["Transfer-Encoding: \vchunked"], chunked(BODY)),
    "chunks in HTTP/1.0": bid([CHUNKED], chunked(BODY), spoiltLine("HTTP/1.1", "HTTP/1.0")),
    "a chunk size that is none": bid([CHUNKED], inChunk("zz")),
    "a chunk size below zero": bid([CHUNKED], inChunk("-17")),
    "a chunk size with a plus": bid([CHUNKED], inChunk("+17")),
    "a chunk size with a prefix": bid([CHUNKED], inChunk("0x17")),
    "a chunk size that overflows": bid([CHUNKED], inChunk("10000000000000017")),
    "a chunk that does not end": bid([CHUNKED], `17\r\n${BODY}0\r\n\r\n`),
    "a chunk size that ends in LF": bid([CHUNKED], `17\n${BODY}\r\n0\r\n\r\n`),
    "a bare CR": bid(["X-A: a\rX-B: b", LENGTH], BODY),
    "a NUL": bid(["X-A: a\0b", LENGTH], BODY),
    "no host": bid([LENGTH], BODY, spoiltLine("Host:", "X-Host:")),
  },
  413: {
    "a body of 16 KiB and one": bid(["Content-Length: 16385"], BODY.padEnd(16_385)),
    "chunks of 16 KiB and one": bid([CHUNKED], chunked(BODY.padEnd(16_385))),
    "many small chunks": bid([CHUNKED], `${`200\r\n${" ".repeat(512)}\r\n`.repeat(40)}0\r\n\r\n`),
    "a chunk extension of 64 KiB": bid([CHUNKED], inChunk(`17;${"a".repeat(65_536)}`)),
  },
  431: {
    "a header of 32 KiB": bid([`X-A: ${"a".repeat(32_768)}`, LENGTH], BODY),
    "300 headers": bid([...Array.from({ length: 300 }, (_, n) => `X-${n}: a`), LENGTH], BODY),
    "a URL of 20 KiB": bid([LENGTH], BODY, spoiltLine("/bid", `/bid?${"a".repeat(20_480)}`)),
  },
  505: { "bare LF": bid([LENGTH], BODY).replaceAll("\r\n", "\n") },
};

const statusesOf = (socket: RawSocket) =>
  [...socket.received().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const CASES = Object.entries(BROKEN).flatMap(([status, requests]) =>
  Object.entries(requests).map(([name, bytes]) => [name, Number(status), bytes] as const),
);

describe("a request of broken framing", () => {
  let exchange: Exchange;
  beforeAll(async () => {
    exchange = await startExchange({ env: DISTINCT });
  });
  afterAll(async () => {
    await exchange[Symbol.asyncDispose]();
  });

  /** Sends the request with a hidden one behind it, and waits for the end of the connection. */
  async function attack(pieces: readonly string[]): Promise<number[]> {
    const socket = await openSocket(exchange.port);
    for (const piece of pieces) {
      socket.send(piece);
      if (pieces.length > 1) await Bun.sleep(1); // In a packet of its own.
    }
    await until("the connection ends", () => socket.isClosed());
    socket.close();
    return statusesOf(socket);
  }

  test.each(CASES)("with %s is answered %i, and nothing after it", async (_, status, bytes) => {
    expect(await attack([bytes + HIDDEN])).toEqual([status]);
    if (bytes.length > 1_000) return;
    // In many packets the same; the first ones may be refused before the last are sent.
    const pieces = (bytes + HIDDEN).match(/.{1,40}/gs)!;
    expect(await attack(pieces)).toEqual([status]);
  });

  test("with a length that is too short leaves the rest to be refused", async () => {
    const short = bid([`Content-Length: ${BODY.length - 2}`], BODY);
    expect(await attack([short + HIDDEN])).toEqual([400, 400]);
  });

  // The last ones: what came before must have left nothing.
  test("was never held and cost no quota", async () => {
    expect(auctionsOf(await readStat(exchange.url))).toBe(0);
    for (const client of [ATTACKER, VICTIM]) await expectFullQuota(exchange.port, client);
    printFigures("broken framing", { requests: CASES.length, held: 0 });
  });

  // Bun hands a body over when its last chunk is there, and looks at the empty line afterwards.
  test("only behind its whole body may be held itself, nothing after it", async () => {
    const lines = spoiltLine(ATTACKER, "198.51.100.3").map((line) => line.replace("QQ", "QZ"));
    const badEnd = bid([CHUNKED], `17\r\n${BODY}\r\n0\r\nXX`, lines);
    expect((await attack([badEnd + HIDDEN])).at(-1)).toBe(400);
    const { reqs_per_country } = (await readStat(exchange.url)).supply1!;
    expect(Object.keys(reqs_per_country).sort()).toEqual(["QZ", "US"]);
  });
});

describe("many requests on one connection at once", () => {
  const MANY = 1_000;
  const bidOf = (n: number) => ({ supplyId: "supply1", country: "US", client: clientAddress(n) });
  const manyBids = () => Array.from({ length: MANY }, (_, n) => bidOf(2 ** 23 + n));

  test("are answered in order where the answer is there at once", async () => {
    await using exchange = await startExchange({ env: { WORKERS: "1" } });
    const socket = await openSocket(exchange.port);
    const ask = (n: number) => `GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: n${n}\r\n\r\n`;
    socket.send(Array.from({ length: MANY }, (_, n) => ask(n)).join(""));
    const ids = () => [...socket.received().matchAll(/x-request-id: n(\d+)/gi)].map(([, n]) => +n!);
    await until("all answers", () => ids().length === MANY || socket.isClosed());
    expect(ids()).toEqual(Array.from({ length: MANY }, (_, n) => n));
    socket.close();
  });

  test("are auctions that are held and counted once each where nobody is waited for", async () => {
    await using exchange = await startExchange({ env: DISTINCT });
    const socket = await openSocket(exchange.port);
    socket.send(manyBids().map(formatBid).join(""));
    await until("all answers", () => statusesOf(socket).length === MANY || socket.isClosed());
    expect(new Set(statusesOf(socket))).toEqual(new Set([200, 400]));
    expect((await readStat(exchange.url)).supply1!.total_reqs).toBe(MANY);
    socket.close();
  });

  // Bun serves one request of a connection at a time and closes it on a second one that comes
  // before the first is answered.
  test("that must wait end the connection: what was held is counted once, other clients go on", async () => {
    await using exchange = await startExchange({ env: { ...DISTINCT, BIDDER_LATENCY_MS: "5-5" } });
    const load = startSteadyLoad({ port: exchange.port, rate: 100, connections: 4 });
    await untilAnswered(load, 20);
    const sent = manyBids();
    const socket = await openSocket(exchange.port);
    socket.send(sent.map(formatBid).join(""));
    await until("the connection ends", () => socket.isClosed());
    await untilAnswered(load, 20);
    await load.stop();
    expect(load.unknown).toEqual([]);
    const answers = statusesOf(socket).length;
    const unknown = sent.slice(answers);
    const figures = expectCountedOnce(await readStat(exchange.url), { ...load, unknown });
    printFigures("1,000 pipelined bids", { "answered of them": answers, ...figures });
    expect(await exchange.stop()).toEqual({ code: 0, signal: null });
  });
});
