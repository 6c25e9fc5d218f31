import { afterEach, expect, test } from "bun:test";
import type { HandleBid } from "../../src/http/bid.ts";
import { createServer, type Server } from "../../src/http/server.ts";
import { probePort } from "../../src/processes/port-probe.ts";

let server: Server | undefined;
afterEach(() => server?.stop(0));

test("a bid that fails is 500 with its request id, told with its fault, and ends nothing", async () => {
  const fault = new Error("a fault of ours");
  const { url, faults } = await listen(() => Promise.reject(fault));
  for (const requestId of ["one", "two"]) {
    const response = await fetch(`${url}/bid`, {
      method: "POST",
      headers: { "x-request-id": requestId },
    });
    expect(response.status).toBe(500);
    expect(response.headers.get("x-request-id")).toBe(requestId);
    expect(await response.json()).toMatchObject({ code: "internal", request_id: requestId });
  }
  expect(faults).toEqual([fault, fault]);
});

test("another method than POST of /bid is 405", async () => {
  const { url } = await listen(() => Promise.resolve(new Response("a bid")));
  const response = await fetch(`${url}/bid`);
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("POST");
});

test("while it drains, bids are answered and close their connections, failed ones too", async () => {
  const answers = [async () => new Response("a bid"), () => Promise.reject(new Error("a fault"))];
  const { url } = await listen(() => answers.shift()!());
  server!.beginDrain();
  for (const status of [200, 500]) {
    const response = await fetch(`${url}/bid`, { method: "POST" });
    expect(response.status).toBe(status);
    expect(response.headers.get("connection")).toBe("close");
  }
});

async function listen(handleBid: HandleBid) {
  const faults: unknown[] = [];
  const port = await probePort("127.0.0.1", 0, 0);
  const empty = () => new Response();
  server = createServer({
    hostname: "127.0.0.1",
    port,
    requestIdOf: (request) => request.headers.get("x-request-id") ?? "made",
    handleBid,
    handleStat: async () => empty(),
    handleLive: empty,
    handleReady: async () => empty(),
    openapi: {},
    onFault: (fault) => faults.push(fault),
  });
  server.listen();
  return { url: `http://127.0.0.1:${port}`, faults };
}
