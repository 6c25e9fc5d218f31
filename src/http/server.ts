import { Elysia } from "elysia";
import type { HandleBid } from "./bid.ts";
import { BODY_BYTES_MAX, type ReadBidRequest } from "./bid-request.ts";
import { createDocs } from "./docs.ts";
import type { Sockets } from "./pending-bid.ts";
import { problem } from "./problem.ts";
import type { RequestIdOf } from "./request-id.ts";
import type { HandleStat } from "./stat.ts";

/** Seconds that a socket may be silent; Bun counts it for idle and for dripping ones. */
const IDLE_SECONDS = 10;

export interface ServerOptions {
  hostname: string;
  port: number;
  requestIdOf: RequestIdOf;
  readBid: ReadBidRequest;
  handleBid: HandleBid;
  handleStat: HandleStat;
  handleLive: (request: Request) => Response;
  handleReady: (request: Request) => Promise<Response>;
  openapi: object;
  onFault: (fault: unknown) => void;
}

export interface Server {
  listen(): void;
  /** From now on every answer closes its connection, so that clients leave before the end. */
  beginDrain(): void;
  /** Stops accepting, lets running requests finish for at most `graceMs`, then cuts. */
  stop(graceMs: number): Promise<void>;
}

/** The routes, on Elysia's server: the only place that knows paths and methods. */
export function createServer(options: ServerOptions): Server {
  const { requestIdOf, readBid, handleBid, handleStat, handleLive, handleReady, onFault } = options;
  const docs = createDocs();
  const openapi = JSON.stringify(options.openapi);
  const methods = new Map([["/bid", "POST"]]);
  for (const path of ["/stat", "/livez", "/readyz", "/openapi.json", ...docs.keys()]) {
    methods.set(path, "GET, HEAD");
  }
  let isDraining = false;
  let isClosing = false;

  /** The last touch on every answer of ours. */
  function send(response: Response): Response {
    if (isDraining) response.headers.set("connection", "close");
    return response;
  }

  function answerBid(request: Request, sockets: Sockets): Response | Promise<Response> {
    if (isClosing) return send(shuttingDown(requestIdOf(request)));
    return readBid(request, (read) => {
      const fail = (fault: unknown) => send(answerFault(request, fault));
      try {
        const answered = handleBid(request, sockets, read);
        // Most answers are at hand; a promise for each would be 1 % of a bid.
        return answered instanceof Promise ? answered.then(send, fail) : send(answered);
      } catch (fault) {
        return fail(fault);
      }
    });
  }

  const app = new Elysia({
    serve: {
      maxRequestBodySize: BODY_BYTES_MAX,
      idleTimeout: IDLE_SECONDS,
      reusePort: true,
      // Elysia hands it to Bun as it is. A route of Elysia's makes a context and one more promise
      // for each request: 4 % of a bid's CPU.
      routes: { "/bid": { POST: answerBid } },
    },
    precompile: true,
    strictPath: true,
  })
    .onError(({ request, code, error }) =>
      send(code === "NOT_FOUND" ? refuseRoute(request) : answerFault(request, error)),
    )
    .get("/stat", async ({ request, query }) => send(await handleStat(request, query.supply)))
    .get("/livez", ({ request }) => send(handleLive(request)))
    .get("/readyz", async ({ request }) => send(await handleReady(request)))
    .get("/openapi.json", ({ request }) =>
      send(
        new Response(openapi, {
          headers: { "content-type": "application/json", "x-request-id": requestIdOf(request) },
        }),
      ),
    );
  for (const [path, open] of docs) {
    app.get(path, ({ request }) => {
      const response = open();
      response.headers.set("x-request-id", requestIdOf(request));
      return send(response);
    });
  }

  function answerFault(request: Request, fault: unknown): Response {
    onFault(fault);
    return problem("internal", { requestId: requestIdOf(request), detail: "It has been logged." });
  }

  function refuseRoute(request: Request): Response {
    const requestId = requestIdOf(request);
    const allow = methods.get(pathOf(request.url));
    // With its own method: another spelling of a path, as /./bid, which Bun's router does not know.
    const isRoute = allow !== undefined && !allow.includes(request.method);
    if (!isRoute) return problem("not_found", { requestId, detail: "See /docs." });
    const detail = `This path answers ${allow}.`;
    return problem("method_not_allowed", { requestId, detail, headers: { allow } });
  }

  function listen(): void {
    app.listen({ hostname: options.hostname, port: options.port, reusePort: true });
  }

  async function stop(graceMs: number): Promise<void> {
    const { server } = app;
    if (!server) return;
    isClosing = true;
    const finished = server.stop(false).then(() => true);
    const isDone = await Promise.race([finished, Bun.sleep(graceMs).then(() => false)]);
    if (!isDone) await Promise.race([server.stop(true), Bun.sleep(500)]);
  }

  function beginDrain(): void {
    isDraining = true;
  }

  return { listen, beginDrain, stop };
}

/** The path of a URL whose host may be anything or missing: a parser would throw on some. */
const pathOf = (url: string) => /^(?:[a-z]+:\/\/[^/?#]*)?([^?#]*)/i.exec(url)![1]!;

const shuttingDown = (requestId: string) =>
  problem("shutting_down", { requestId, detail: "Nothing was begun and no quota used." });
