import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as after } from "node:timers/promises";
import type { Answer } from "./answers.ts";
import type { Fault } from "./profile.ts";

const DRIP_MS = 50;
/** A reset throws away what was not read yet. */
const READ_MS = 50;
/** Of a huge body, unless its reader has had enough before. */
const HUGE_BYTES = 256 * 1024 * 1024;
/** Packed by zlib it passes a limit of 64 KiB: only who counts what comes out is safe. */
const BOMB_BYTES = 32 * 1024 * 1024;

/** Spoils a good answer on its way. Resolves early where the rest is waiting for the client. */
export async function spoil(fault: Fault, response: ServerResponse, answer: Answer): Promise<void> {
  const body = Buffer.from(answer.body as string);
  const headers = Object.fromEntries(answer.headers);
  const whole = { ...headers, "content-length": body.length };
  switch (fault) {
    case "hang":
      return;
    case "hang_after_headers":
      return void response.writeHead(answer.status, whole).flushHeaders();
    case "drip":
      response.writeHead(answer.status, whole);
      return drip(response, body);
    case "reset":
      return void response.socket?.resetAndDestroy();
    case "reset_mid_body":
      response.writeHead(answer.status, whole);
      response.write(body.subarray(0, body.length / 2));
      await after(READ_MS);
      return void response.socket?.resetAndDestroy();
    case "huge_body":
      // Chunked: no header gives it away.
      response.writeHead(answer.status, headers);
      return pipeline(Readable.from(inflate(body)), response);
    case "gzip_bomb":
      response.writeHead(answer.status, {
        ...headers,
        "content-encoding": "gzip",
        "content-length": bomb().length,
      });
      return void response.end(bomb());
  }
}

async function drip(response: ServerResponse, body: Buffer): Promise<void> {
  for (const byte of body) {
    if (response.destroyed) return;
    response.write(Buffer.of(byte));
    await after(DRIP_MS);
  }
  response.end();
}

/** The same JSON object with a member that nobody asked for: good, if read to its end. */
function* inflate(body: Buffer): Generator<Buffer> {
  yield body.subarray(0, -1);
  yield Buffer.from(',"ext":{"filler":"');
  const filler = Buffer.alloc(64 * 1024, "x");
  for (let sent = 0; sent < HUGE_BYTES; sent += filler.length) yield filler;
  yield Buffer.from('"}}');
}

let packed: Uint8Array | undefined;

/** Packed when first asked for: that takes a tenth of a second, so before anybody waits. */
export function bomb(): Uint8Array {
  packed ??= Bun.gzipSync(`{"id":"bomb","ext":{"filler":"${"x".repeat(BOMB_BYTES)}"}}`);
  return packed;
}
