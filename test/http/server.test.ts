import { expect, test } from "bun:test";
import type { HandleBid } from "../../src/http/bid.ts";
import { createBidReader } from "../../src/http/bid-request.ts";
import { createServer } from "../../src/http/server.ts";
import { probePort } from "../../src/processes/port-probe.ts";
import { formatRequest } from "../support/raw-http.ts";
import { openSocket } from "../support/raw-sockets.ts";
import { until } from "../support/until.ts";

test("a bid that fails is 500 with its request id, its fault told, and the next is answered", async () => {
  const fault = new Error("a fault of ours");
  const failures = [() => Promise.reject(fault), () => raise(fault)];
  await using server = await startServer(() => failures.shift()!());
  for (const requestId of ["one", "two"]) {
    const response = await server.bid({ "x-request-id": requestId });
    expect(response.status).toBe(500);
    expect(response.headers.get("x-request-id")).toBe(requestId);
    expect(await response.json()).toMatchObject({ code: "internal", request_id: requestId });
  }
  expect(server.faults).toEqual([fault, fault]);
});

test("while it drains, bids are answered and close their connections, failed ones too", async () => {
  const fault = new Error("a fault");
  const answers: (() => Response | Promise<Response>)[] = [
    () => new Response("at hand"),
    async () => new Response("a bid"),
    () => raise(fault),
    () => Promise.reject(fault),
  ];
  await using server = await startServer(() => answers.shift()!());
  server.beginDrain();
  for (const status of [200, 200, 500, 500]) {
    const response = await server.bid();
    expect(response.status).toBe(status);
    expect(response.headers.get("connection")).toBe("close");
  }
});

test("a request that is half sent when it closes is told so, and no bid begins", async () => {
  let bids = 0;
  await using server = await startServer(async () => new Response(String(++bids)));
  const socket = await openSocket(server.port);
  const request = formatRequest({ body: "{}" });
  socket.send(request.slice(0, 20));
  await (await server.bid()).text(); // A round trip later it has been read.
  const stopped = server.stop(1_000);
  socket.send(request.slice(20));
  await until("it is answered", () => socket.received().includes("shutting_down"));
  expect(socket.received()).toStartWith("HTTP/1.1 503 ");
  expect(socket.received()).toContain("retry-after: 1");
  await stopped;
  expect(bids).toBe(1);
});

function raise(fault: Error): never {
  throw fault;
}

/** A server with this bid route on a free port, and the faults that it was told. */
async function startServer(handleBid: HandleBid) {
  const faults: unknown[] = [];
  const port = await probePort("127.0.0.1", 0, 0);
  const empty = () => new Response();
  const server = createServer({
    hostname: "127.0.0.1",
    port,
    requestIdOf: (request) => request.headers.get("x-request-id") ?? "made",
    readBid: createBidReader(5_000),
    handleBid,
    handleStat: async () => empty(),
    handleLive: empty,
    handleReady: async () => empty(),
    openapi: {},
    onFault: (fault) => faults.push(fault),
  });
  server.listen();
  return {
    ...server,
    port,
    faults,
    bid: (headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${port}/bid`, { method: "POST", headers }),
    [Symbol.asyncDispose]: () => server.stop(0),
  };
}
