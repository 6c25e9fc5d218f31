import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import { type Answer, json, REDIRECT_PATH } from "./answers.ts";
import { spoil } from "./faults.ts";
import type { Listener } from "./plain-listener.ts";
import { BODY_BYTES_MAX, type Call, type StubBidder } from "./stub-bidder.ts";

/** Serves a bidder that breaks connections, on node:http, which lets it at the sockets. */
export async function listenRoughly({ receive, counters }: StubBidder): Promise<Listener> {
  const bidding = new WeakSet<Socket>();
  const open = new Set<Socket>();

  async function bid(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!bidding.has(request.socket)) counters.connections++;
    bidding.add(request.socket);
    const body = await readBody(request);
    if (body === undefined) return void response.writeHead(413).end();
    const { answer, latencyMs, fault } = receive(callOf(request, body));
    const isEndOurs = fault === "reset" || fault === "reset_mid_body";
    response.on("close", () => {
      if (!response.writableFinished && !isEndOurs) counters.aborted++;
    });
    if (latencyMs > 0) await after(latencyMs);
    if (fault === undefined) send(response, answer);
    else await spoil(fault, response, answer);
  }

  function route(request: IncomingMessage, response: ServerResponse): void {
    switch (`${request.method} ${request.url}`) {
      case "POST /bid":
        // What fails here is a client that has left in the middle.
        return void bid(request, response).catch(() => response.destroy());
      case "GET /counters":
        return send(response, json(JSON.stringify(counters)));
      case `GET ${REDIRECT_PATH}`:
      case `POST ${REDIRECT_PATH}`:
        counters.redirects_followed++;
        return void response.writeHead(204).end();
      default:
        return void response.writeHead(404).end();
    }
  }

  const server = createServer({ keepAliveTimeout: 0 }, route);
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function callOf({ headers }: IncomingMessage, body: Buffer): Call {
  const isEncoded = headers["content-encoding"] !== undefined;
  return {
    header: (name) => headers[name] as string | undefined,
    body: isEncoded ? new Uint8Array(body) : body.toString(),
  };
}

/** Undefined where it is too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const length = body === null ? {} : { "content-length": Buffer.byteLength(body) };
  response.writeHead(status, { ...Object.fromEntries(headers), ...length }).end(body ?? undefined);
}
