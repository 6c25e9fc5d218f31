import { expect, test } from "bun:test";
import { createNetworkTime } from "../../src/bidders/network-time.ts";

test("is unknown, and taken for nothing, before the first handshake", () => {
  const network = createNetworkTime();
  expect(network.ms()).toBe(0);
  network.noteCall(5);
  expect(network.ms()).toBe(0);
});

test("follows the handshakes slowly", () => {
  const network = createNetworkTime();
  network.noteHandshake(10);
  expect(network.ms()).toBe(10);
  network.noteHandshake(18);
  expect(network.ms()).toBe(11);
  for (let i = 0; i < 50; i++) network.noteHandshake(20);
  expect(network.ms()).toBeCloseTo(20, 1);
});

test("is never more than a whole call took", () => {
  const network = createNetworkTime();
  network.noteHandshake(40);
  network.noteCall(100);
  expect(network.ms()).toBe(40);
  network.noteCall(8);
  expect(network.ms()).toBe(8);
});
