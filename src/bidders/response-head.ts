import { quoted } from "./reason.ts";

/** The body on the wire, and again when decompressed. */
export const BODY_BYTES_MAX = 65_536;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** The spaces around a value stay: a pattern that takes them off goes over them again and again. */
export const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;

/** The server does not speak HTTP/1.1 as it should, or says too much. */
export class BadResponseError extends Error {
  override name = "BadResponseError";
}

/** What the head of an answer says of the body that follows. */
export interface ResponseHead {
  readonly status: number;
  /** `close`: up to the end of the connection. */
  readonly framing: "none" | "length" | "chunked" | "close";
  /** Bytes of the body where its length is known, else 0. */
  readonly length: number;
  readonly isGzip: boolean;
  readonly isKeptAlive: boolean;
}

/** What its header lines said so far. */
interface Said {
  length: number | undefined;
  isChunked: boolean;
  isGzip: boolean;
  isKeptAlive: boolean;
}

/** The lines that say how the body is to be read: in one way only, or not at all. */
const READERS = new Map<string, (value: string, said: Said) => void>([
  [
    "content-length",
    (value, said) => {
      if (said.length !== undefined) throw new BadResponseError("two lengths of the body");
      if (!/^\d{1,15}$/.test(value)) throw new BadResponseError(`length ${quoted(value)}`);
      said.length = Number(value);
    },
  ],
  [
    "transfer-encoding",
    (value, said) => {
      if (said.isChunked || value.toLowerCase() !== "chunked") {
        throw new BadResponseError(`transfer encoding ${quoted(value)}, expected chunked`);
      }
      said.isChunked = true;
    },
  ],
  [
    "content-encoding",
    (value, said) => {
      if (value.toLowerCase() === "identity") return;
      if (said.isGzip || !/^(x-)?gzip$/i.test(value)) {
        throw new BadResponseError(`content encoding ${quoted(value)}, expected gzip`);
      }
      said.isGzip = true;
    },
  ],
  [
    "connection",
    (value, said) => {
      if (/\bclose\b/i.test(value)) said.isKeptAlive = false;
    },
  ],
]);

/**
 * @param text  status line and header lines, without the empty line after them
 * @throws BadResponseError for what is not well formed, or could be read in two ways
 */
export function parseHead(text: string): ResponseHead {
  const lines = text.split("\r\n");
  const statusLine = STATUS_LINE.exec(lines[0]!);
  if (!statusLine) throw new BadResponseError(`status line ${quoted(lines[0])}`);
  const said: Said = {
    length: undefined,
    isChunked: false,
    isGzip: false,
    isKeptAlive: statusLine[1] === "1",
  };
  for (let i = 1; i < lines.length; i++) {
    const header = HEADER_LINE.exec(lines[i]!);
    if (!header) throw new BadResponseError(`header line ${quoted(lines[i])}`);
    READERS.get(header[1]!.toLowerCase())?.(trimSpaces(header[2]!), said);
  }
  const status = Number(statusLine[2]);
  const { isGzip, isKeptAlive } = said;
  return { status, ...framingOf(status, said), isGzip, isKeptAlive };
}

/** Spaces and tabs alone: others, which `trim` takes off, are part of a value. */
function trimSpaces(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text[from])) from++;
  while (to > from && isSpace(text[to - 1])) to--;
  return text.slice(from, to);
}

const isSpace = (character: string | undefined) => character === " " || character === "\t";

/** RFC 9112, 6.3. */
function framingOf(status: number, said: Said): Pick<ResponseHead, "framing" | "length"> {
  const { length, isChunked } = said;
  if (status === 101) throw new BadResponseError("status 101, nobody asked to switch");
  if (isChunked && length !== undefined) throw new BadResponseError("a length and chunks");
  if (status < 200 || status === 204 || status === 304) {
    if (isChunked || (length ?? 0) > 0) throw new BadResponseError(`a body with status ${status}`);
    return { framing: "none", length: 0 };
  }
  if (isChunked) return { framing: "chunked", length: 0 };
  if (length === undefined) return { framing: "close", length: 0 };
  if (length > BODY_BYTES_MAX) throw bodyTooLong(String(length));
  return { framing: "length", length };
}

export const bodyTooLong = (bytes: string) =>
  new BadResponseError(`body of ${bytes} bytes, expected at most ${BODY_BYTES_MAX}`);
