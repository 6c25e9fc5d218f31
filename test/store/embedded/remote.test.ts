import { expect, test } from "bun:test";
import { createRemoteStore } from "../../../src/store/embedded/remote.ts";
import type { SupplyIncrements } from "../../../src/store/store.ts";

const batchOf = (size: number): SupplyIncrements[] =>
  Array.from({ length: size }, (_, i) => ({
    supplyId: `s${i}`,
    from: i,
    to: i + 1,
    increments: new Map([["total_reqs", 1]]),
  }));

test("a large batch crosses in parts, one after the other, so that nobody waits for all of it", async () => {
  const calls: string[][] = [];
  let running = 0;
  let mostRunning = 0;
  const store = createRemoteStore(async (_name, argument) => {
    mostRunning = Math.max(mostRunning, ++running);
    await Promise.resolve();
    running--;
    const { batch } = argument as { batch: SupplyIncrements[] };
    calls.push(batch.map(({ supplyId }) => supplyId));
    return batch.map(({ to }) => to);
  });
  const batch = batchOf(1_201);
  expect(await store.apply("p", batch)).toEqual(batch.map(({ to }) => to));
  expect(calls.flat()).toEqual(batch.map(({ supplyId }) => supplyId));
  expect(Math.max(...calls.map((call) => call.length))).toBeLessThanOrEqual(500);
  expect(mostRunning).toBe(1);
});

test("what fails in a later part is told, whatever was applied before", async () => {
  let calls = 0;
  const store = createRemoteStore(async () => {
    if (++calls === 2) throw new Error("the supervisor is gone");
    return batchOf(500).map(({ to }) => to);
  });
  await expect(store.apply("p", batchOf(1_201))).rejects.toThrow("the supervisor is gone");
  expect(calls).toBe(2);
});
