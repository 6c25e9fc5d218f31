import { afterEach, describe, expect, test } from "bun:test";
import { probePort } from "../../src/processes/port-probe.ts";

const HOST = "127.0.0.1";
const opened: Bun.Server<undefined>[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.stop(true);
});

/** Somebody who listens on a free port of this machine. */
function occupy(reusePort: boolean): Bun.Server<undefined> {
  const server = Bun.serve({ hostname: HOST, port: 0, reusePort, fetch: () => new Response() });
  opened.push(server);
  return server;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = occupy(false);
  const { port } = server;
  await server.stop(true);
  return port!;
}

describe("port probe", () => {
  test("returns a port that is free, and leaves it free", async () => {
    const port = await freePort();
    expect(await probePort(HOST, port, 0)).toBe(port);
    expect(await probePort(HOST, port, 0)).toBe(port);
  });

  test("picks a free port for 0", async () => {
    const port = await probePort(HOST, 0, 0);
    expect(port).toBeWithin(1, 65_536);
    expect(await probePort(HOST, port, 0)).toBe(port);
  });

  test.each([true, false])(
    "refuses a taken port in one line; shared by its owner: %p",
    async (isShared) => {
      const { port } = occupy(isShared);
      const error = await probePort(HOST, port!, 0).catch((fault) => fault);
      expect(error.message).toBe(
        `port ${port} is already in use (another exchange?). Try PORT=${port! + 1} DATA_DIR=.data-2 bun start`,
      );
    },
  );

  test("waits for a predecessor that is leaving", async () => {
    const predecessor = occupy(true);
    const port = predecessor.port!;
    const probed = probePort(HOST, port, 10_000);
    await predecessor.stop(true);
    expect(await probed).toBe(port);
  });

  test("does not wait for an address that is none of this machine", async () => {
    const error = await probePort("192.0.2.1", 0, 10_000).catch((fault) => fault);
    expect(error.message).toStartWith("cannot listen on 192.0.2.1:0: ");
  });
});
