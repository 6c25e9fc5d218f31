import { describe, expect, test } from "bun:test";
import { claimPort } from "../../src/processes/port-claim.ts";
import { probePort } from "../../src/processes/port-probe.ts";

const HOST = "127.0.0.1";

// What this process claims it keeps until it ends.
describe("a claim of a port", () => {
  test("leaves the port free, and holds off whoever claims it before anybody listens", async () => {
    const port = await claimPort(HOST, 0, 0);
    expect(await probePort(HOST, port, 0)).toBe(port);
    const error = await claimPort(HOST, port, 0).catch((fault) => fault);
    expect(error.message).toStartWith(`port ${port} is already in use (another exchange?)`);
  });

  test("is another port for each who leaves it to us", async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => claimPort(HOST, 0, 5_000)));
    expect(new Set(ports).size).toBe(20);
  });
});
