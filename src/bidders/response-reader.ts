import { gunzipSync } from "node:zlib";
import { quoted } from "./reason.ts";
import {
  BadResponseError,
  BODY_BYTES_MAX,
  bodyTooLong,
  HEADER_LINE,
  parseHead,
  type ResponseHead,
} from "./response-head.ts";
import type { BidderReply } from "./transport.ts";

/** Status line and headers, interim answers, the lines around chunks and trailers included. */
const HEAD_BYTES_MAX = 16_384;
/** The line before a chunk: its size and extensions, which are ignored. */
const SIZE_LINE_BYTES_MAX = 256;
const SIZE_LINE = /^([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const NOTHING = Buffer.alloc(0);

/** An answer that is complete. */
export interface ReadResponse extends BidderReply {
  /** False: the connection cannot carry another call. */
  readonly isReusable: boolean;
}

/**
 * Reads the answers of one connection, one after the other, from bytes that come in any pieces.
 * Strict: what two readers might understand in two ways is refused, so that no answer is ever taken
 * for a part of another one.
 */
export interface ResponseReader {
  /** @throws BadResponseError; the connection is of no use any more */
  read(bytes: Buffer): ReadResponse | undefined;
  /** The connection has closed: that ends an answer without a length. @throws BadResponseError */
  end(): ReadResponse;
  /** Whether anything of the answer has come. */
  hasBegun(): boolean;
}

type Phase = "head" | "body" | "chunkSize" | "chunk" | "chunkEnd" | "trailer" | "done";

export function createResponseReader(): ResponseReader {
  /** Each takes what it can of the input. False: it needs more. */
  const steps: Record<Phase, () => boolean> = {
    head: readHead,
    body: readBody,
    chunkSize: readSize,
    chunk: readChunk,
    chunkEnd: readChunkEnd,
    trailer: readTrailer,
    done: () => false,
  };
  let phase: Phase = "head";
  let head: ResponseHead | undefined;
  let input: Buffer = NOTHING;
  let at = 0;
  /** The beginning of a line or a head whose end has not come yet. */
  let held: Buffer | undefined;
  let headBytes = 0;
  /** As far as it has come: its first `bodyBytes` bytes. */
  let body: Buffer | undefined;
  let bodyBytes = 0;
  /** Bytes that are missing of the body or the chunk. */
  let missing = 0;

  function read(bytes: Buffer): ReadResponse | undefined {
    input = bytes;
    at = 0;
    while (steps[phase]()) {}
    // What follows an answer belongs to no call, and never to the next one.
    return phase === "done" ? finish(at === input.length) : undefined;
  }

  function readHead(): boolean {
    const text = takeUntil("\r\n\r\n", HEAD_BYTES_MAX - headBytes, "head");
    if (text === undefined) return false;
    headBytes += text.length + 4;
    const next = parseHead(text);
    if (next.status < 200) return true; // An interim answer: the real one follows.
    head = next;
    missing = head.framing === "close" ? Number.POSITIVE_INFINITY : head.length;
    phase = ({ none: "done", length: "body", close: "body", chunked: "chunkSize" } as const)[
      head.framing
    ];
    return true;
  }

  function readBody(): boolean {
    if (takeMissing() > 0) return false;
    phase = "done";
    return true;
  }

  function readSize(): boolean {
    const line = takeUntil("\r\n", SIZE_LINE_BYTES_MAX, "line of a chunk");
    if (line === undefined) return false;
    const size = SIZE_LINE.exec(line);
    if (!size) throw new BadResponseError(`size of a chunk ${quoted(line)}`);
    countLine(line);
    missing = Number.parseInt(size[1]!, 16);
    if (bodyBytes + missing > BODY_BYTES_MAX) throw bodyTooLong(`more than ${BODY_BYTES_MAX}`);
    phase = missing === 0 ? "trailer" : "chunk";
    return true;
  }

  function readChunk(): boolean {
    if (takeMissing() > 0) return false;
    phase = "chunkEnd";
    return true;
  }

  function readChunkEnd(): boolean {
    const line = takeUntil("\r\n", SIZE_LINE_BYTES_MAX, "line of a chunk");
    if (line === undefined) return false;
    if (line !== "") throw new BadResponseError("a chunk is longer than its size");
    countLine(line);
    phase = "chunkSize";
    return true;
  }

  /** 64 KiB in chunks of a byte, each with 250 of an extension, would be 16 MB to go through. */
  function countLine(line: string): void {
    headBytes += line.length + 2;
    if (headBytes <= HEAD_BYTES_MAX) return;
    throw new BadResponseError(`lines of chunks and head of more than ${HEAD_BYTES_MAX} bytes`);
  }

  function readTrailer(): boolean {
    const line = takeUntil("\r\n", HEAD_BYTES_MAX - headBytes, "head");
    if (line === undefined) return false;
    headBytes += line.length + 2;
    if (line === "") phase = "done";
    else if (!HEADER_LINE.test(line)) throw new BadResponseError(`trailer ${quoted(line)}`);
    return true;
  }

  /** The text before a mark, once it has come. */
  function takeUntil(mark: string, bytesMax: number, what: string): string | undefined {
    const rest = input.subarray(at);
    const heldBytes = held?.length ?? 0;
    const all = held ? Buffer.concat([held, rest]) : rest;
    const end = all.indexOf(mark, Math.max(0, heldBytes - mark.length + 1), "latin1");
    const used = end < 0 ? all.length : end + mark.length;
    if (used > bytesMax) {
      throw new BadResponseError(`${what} of too many bytes, expected at most ${bytesMax}`);
    }
    at += used - heldBytes;
    held = end < 0 && used > 0 ? all : undefined;
    return end < 0 ? undefined : all.toString("latin1", 0, end);
  }

  /** @returns how many bytes are still missing */
  function takeMissing(): number {
    const taken = input.subarray(at, Math.min(input.length, at + missing));
    at += taken.length;
    missing -= taken.length;
    if (taken.length > 0) append(taken);
    return missing;
  }

  /** A body that comes in one piece is not copied. */
  function append(bytes: Buffer): void {
    const count = bodyBytes + bytes.length;
    if (count > BODY_BYTES_MAX) throw bodyTooLong(`more than ${BODY_BYTES_MAX}`);
    if (!body) body = bytes;
    else {
      if (count > body.length) body = Buffer.concat([body], Math.max(count, 2 * body.length));
      body.set(bytes, bodyBytes);
    }
    bodyBytes = count;
  }

  function finish(isAtEnd: boolean): ReadResponse {
    const { status, framing, isGzip, isKeptAlive } = head!;
    const wire = body?.subarray(0, bodyBytes) ?? NOTHING;
    phase = "head";
    head = held = body = undefined;
    input = NOTHING;
    headBytes = bodyBytes = missing = 0;
    return {
      status,
      body: isGzip && wire.length > 0 ? gunzip(wire) : wire,
      isReusable: isKeptAlive && framing !== "close" && isAtEnd,
    };
  }

  function end(): ReadResponse {
    if (phase === "body" && head!.framing === "close") return finish(true);
    throw new BadResponseError(
      hasBegun() ? "connection closed within the answer" : "connection closed without an answer",
    );
  }

  const hasBegun = () => phase !== "head" || held !== undefined || headBytes > 0;

  return { read, end, hasBegun };
}

function gunzip(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: BODY_BYTES_MAX });
  } catch (error) {
    const isTooLong = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw isTooLong ? bodyTooLong(`more than ${BODY_BYTES_MAX}`) : new BadResponseError("bad gzip");
  }
}
