import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { createResponseReader } from "../../src/bidders/response-reader.ts";

const HEAD_MAX = 16_384;
const BODY_MAX = 65_536;

/** What a reader makes of bytes that come in these pieces, and then of the end. */
function readPieces(pieces: readonly Buffer[], isClosed = false): string {
  const reader = createResponseReader();
  try {
    for (const piece of pieces) {
      const response = reader.read(piece);
      if (response) return `${response.status} ${response.body.toString("latin1")}`;
    }
    if (!isClosed) return "more";
    const { status, body } = reader.end();
    return `${status} ${body.toString("latin1")}`;
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
}

const readText = (text: string, isClosed = false) =>
  readPieces([Buffer.from(text, "latin1")], isClosed);

const zipped = (text: string) => gzipSync(text).toString("latin1");
const withLength = (body: string, headers = "") =>
  `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (...chunks: string[]) =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join("")}0\r\n\r\n`;

const GOOD: [string, string, string][] = [
  ["a body with its length", withLength("{}"), "200 {}"],
  ["an empty body", withLength(""), "200 "],
  ["no content", "HTTP/1.1 204 No Content\r\n\r\n", "204 "],
  ["no content that says so", "HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n", "204 "],
  ["a status without words", "HTTP/1.1 204\r\n\r\n", "204 "],
  ["chunks", chunked("ab", "c"), "200 abc"],
  ["no chunk", chunked(), "200 "],
  [
    "extensions of chunks and trailers",
    "HTTP/1.1 200 OK\r\ntransfer-encoding:Chunked\r\n\r\n2;a=b\r\nab\r\n000\r\nX-Sum: 1\r\n\r\n",
    "200 ab",
  ],
  ["many small chunks", chunked(..."x".repeat(3_000)), `200 ${"x".repeat(3_000)}`],
  ["gzip", withLength(zipped("bid"), "Content-Encoding: gzip\r\n"), "200 bid"],
  ["an encoding that is none", withLength("a", "content-encoding: identity\r\n"), "200 a"],
  ["spaces around a value", "HTTP/1.1 200 OK\r\nContent-Length:\t 2 \r\n\r\n{}", "200 {}"],
  ["interim answers", `HTTP/1.1 103 Early\r\nA: b\r\n\r\n${withLength("x")}`, "200 x"],
  ["an error with a body", "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno", "503 no"],
  ["a body at the limit", withLength("x".repeat(BODY_MAX)), `200 ${"x".repeat(BODY_MAX)}`],
];

const REFUSED: [string, string, string][] = [
  ["another protocol", "SSH-2.0-x\r\n\r\n", "status line"],
  ["HTTP/2 without asking", "HTTP/2 200\r\n\r\n", "status line"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "status line"],
  ["a status beyond 599", "HTTP/1.1 600 Odd\r\n\r\n", "status line"],
  ["a bare line feed", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}", "status line"],
  ["a bare carriage return", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "header line"],
  ["a header without a name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "header line"],
  ["a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}", "header line"],
  ["a folded header", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "header line"],
  ["a zero byte", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", "header line"],
  ["two lengths", withLength("{}", "Content-Length: 2\r\n"), "two lengths"],
  ["a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", 'length "2, 2"'],
  ["a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", 'length "+2"'],
  [
    "a length and a space of Latin-1",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\xa0\r\n\r\n{}",
    'length "2?"',
  ],
  ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 'length "-1"'],
  ["a hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}", 'length "0x2"'],
  [
    "a length and chunks",
    withLength("0\r\n\r\n", "Transfer-Encoding: chunked\r\n"),
    "a length and",
  ],
  ["gzip as transfer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer"],
  [
    "chunks twice",
    `HTTP/1.1 200 OK\r\n${"Transfer-Encoding: chunked\r\n".repeat(2)}\r\n`,
    "transfer",
  ],
  ["brotli", withLength("x", "Content-Encoding: br\r\n"), "content encoding"],
  ["gzip twice", withLength("x", "Content-Encoding: gzip\r\n".repeat(2)), "content encoding"],
  ["no gzip that says it is", withLength("plain", "Content-Encoding: gzip\r\n"), "bad gzip"],
  ["half of a gzip", withLength(zipped("a bid").slice(0, 12), "Content-Encoding: gzip\r\n"), "bad"],
  ["a switch of protocols", "HTTP/1.1 101 Switching\r\n\r\n", "status 101"],
  ["a body with no content", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}", "a body with"],
  ["a length above the limit", withLength("x".repeat(BODY_MAX + 1)), "body of 65537 bytes"],
  ["1 GB", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", "body of 1000000000 bytes"],
  ["chunks above the limit", chunked("x".repeat(BODY_MAX), "x"), "body of more"],
  [
    "a huge chunk",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    "body of more",
  ],
  ["a size that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "size of"],
  [
    "a size of nine digits",
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${"0".repeat(9)}\r\n`,
    "size of",
  ],
  [
    "a chunk that goes on",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "a chunk is",
  ],
  [
    "a long size line",
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${"x".repeat(300)}`,
    "line of",
  ],
  [
    "more lines around chunks than a head may have",
    chunked(..."x".repeat(4_000)),
    "lines of chunks",
  ],
  [
    "a trailer that is none",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n",
    "trailer",
  ],
  [
    "a long head",
    `HTTP/1.1 200 OK\r\nA: ${"x".repeat(HEAD_MAX)}\r\n\r\n`,
    "head of too many bytes",
  ],
  ["an endless head", `HTTP/1.1 200 OK\r\nA: ${"x".repeat(HEAD_MAX)}`, "head of too many bytes"],
  [
    "interim answers without end",
    "HTTP/1.1 100 Go\r\n\r\n".repeat(1_000),
    "head of too many bytes",
  ],
  [
    "a gzip bomb",
    withLength(zipped("0".repeat(10_000_000)), "Content-Encoding: gzip\r\n"),
    "body of more than 65536 bytes, expected at most 65536",
  ],
];

describe("response reader", () => {
  test.each(GOOD)("reads %s", (_, text, expected) => {
    expect(readText(text)).toBe(expected);
  });

  test.each(REFUSED)("refuses %s", (_, text, expected) => {
    expect(readText(text)).toStartWith(`refused: ${expected}`);
  });

  test("waits for what is missing", () => {
    for (const [, text] of GOOD) expect(readText(text.slice(0, -1))).toBe("more");
  });

  test("takes a body without a length to the end of the connection, and no further than 64 KiB", () => {
    const head = "HTTP/1.1 200 OK\r\n\r\n";
    expect(readText(`${head}{}`)).toBe("more");
    expect(readText(`${head}{}`, true)).toBe("200 {}");
    expect(readText(head, true)).toBe("200 ");
    expect(readText(`${head}${"x".repeat(BODY_MAX + 1)}`)).toStartWith("refused: body of more");
  });

  test("tells an end within an answer from one without", () => {
    expect(readText("", true)).toBe("refused: connection closed without an answer");
    expect(readText("HTTP", true)).toBe("refused: connection closed within the answer");
    expect(readText(withLength("{}").slice(0, -1), true)).toContain("within the answer");
  });

  test("reads the answers of a connection one after the other", () => {
    const reader = createResponseReader();
    for (const body of ["first", "", "third"]) {
      const text = body === "" ? "HTTP/1.1 204 No\r\n\r\n" : withLength(body);
      const response = reader.read(Buffer.from(text))!;
      expect(response.body.toString()).toBe(body);
      expect(response.isReusable).toBe(true);
      expect(reader.hasBegun()).toBe(false);
    }
  });

  test.each([
    ["the server says so", withLength("{}", "Connection: close\r\n")],
    ["the server is of HTTP/1.0", withLength("{}").replace("1.1", "1.0")],
    ["something follows the answer", `${withLength("{}")}HTTP`],
  ])("gives a connection up when %s", (_, text) => {
    const response = createResponseReader().read(Buffer.from(text, "latin1"));
    expect(response).toMatchObject({ status: 200, isReusable: false });
  });

  test("makes the same of bytes however they are cut into pieces", () => {
    const cases = [...GOOD, ...REFUSED].map(([, text]) => text);
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(fc.constantFrom(...cases), cuts, fc.boolean(), (text, places, isClosed) => {
        const bytes = Buffer.from(text, "latin1");
        const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
        const ends = [...sorted, bytes.length];
        const pieces = ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end));
        expect(readPieces(pieces, isClosed)).toBe(readPieces([bytes], isClosed));
      }),
      { numRuns: 500 },
    );
  });

  test("makes the same of bytes that come one by one", () => {
    for (const [, text] of [...GOOD, ...REFUSED].filter(([, text]) => text.length < 1_000)) {
      const bytes = [...Buffer.from(text, "latin1")].map((byte) => Buffer.from([byte]));
      expect(readPieces(bytes)).toBe(readText(text));
    }
  });

  test.each([
    ["a header", "HTTP/1.1 200 OK\r\n"],
    ["a trailer", chunked().slice(0, -2)],
  ])(
    "refuses %s of spaces with something at their end as quickly as any other",
    (_, start) => {
      const text = `${start}a:${" ".repeat(HEAD_MAX - 100)}\x01\r\n\r\n`;
      // Twenty take 10 ms, and 6 s with a pattern that tries each space anew.
      for (let i = 0; i < 20; i++) expect(readText(text)).toStartWith("refused: ");
    },
    1_500,
  );

  test("never throws anything but a refusal, whatever comes", () => {
    const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const head = fc.constantFrom("", "HTTP/1.1 200 OK\r\n", chunked().slice(0, -5));
    fc.assert(
      fc.property(head, noise, (start, bytes) => {
        const reader = createResponseReader();
        try {
          reader.read(Buffer.concat([Buffer.from(start), bytes]));
        } catch (error) {
          expect((error as Error).name).toBe("BadResponseError");
          expect((error as Error).message).toMatch(/^[\x20-\x7e]{1,150}$/);
        }
      }),
    );
  });
});
