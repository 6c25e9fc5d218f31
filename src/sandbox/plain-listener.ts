import { setTimeout as after } from "node:timers/promises";
import type { Server } from "bun";
import { REDIRECT_PATH } from "./answers.ts";
import { BODY_BYTES_MAX, type StubBidder } from "./stub-bidder.ts";

/** A stub's place on the network. */
export interface Listener {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves a bidder whose answers all are good HTTP, as cheaply as Bun does. */
export function listenPlainly({ receive, counters }: StubBidder): Listener {
  /** A bit for each port of a client that was seen. */
  const ports = new Uint8Array(8_192);

  /**
   * Bun tells of no connections, but of the client's port. One that comes round again is not
   * counted again: of the first thousand connections about one in sixty.
   */
  function countConnection(port: number): void {
    const bit = 1 << (port & 7);
    if ((ports[port >> 3]! & bit) !== 0) return;
    ports[port >> 3]! |= bit;
    counters.connections++;
  }

  async function bid(request: Request, server: Server<undefined>): Promise<Response> {
    countConnection(server.requestIP(request)?.port ?? 0);
    const { headers } = request;
    const isEncoded = headers.get("content-encoding") !== null;
    const body = isEncoded ? await request.bytes() : await request.text();
    const { answer, latencyMs } = receive({ header: (name) => headers.get(name), body });
    if (latencyMs > 0) await wait(latencyMs, request.signal);
    return new Response(answer.body, answer);
  }

  async function wait(latencyMs: number, signal: AbortSignal): Promise<void> {
    try {
      await after(latencyMs, undefined, { signal });
    } catch {
      counters.aborted++; // Whatever is answered now, nobody hears it.
    }
  }

  function followRedirect(): Response {
    counters.redirects_followed++;
    return new Response(null, { status: 204 });
  }

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: BODY_BYTES_MAX,
    development: false,
    routes: {
      "/bid": { POST: bid },
      "/counters": { GET: () => Response.json(counters) },
      [REDIRECT_PATH]: followRedirect,
    },
    fetch: () => new Response(null, { status: 404 }),
  });
  return { port: server.port!, close: () => server.stop(true) };
}
