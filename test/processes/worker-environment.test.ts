import { expect, test } from "bun:test";
import { workerEnvironment } from "../../src/processes/worker-environment.ts";

test.each([true, false])(
  "this Bun starts with all that a worker is given, with Redis: %p",
  (hasRedis) => {
    const env = workerEnvironment(hasRedis);

    const { exitCode, stderr } = Bun.spawnSync([process.execPath, "-e", ""], { env });

    expect({ exitCode, said: stderr.toString() }).toEqual({ exitCode: 0, said: "" });
  },
);

test.each([true, false])(
  "only the Bun whose heap was measured is told how to collect, with Redis: %p",
  (hasRedis) => {
    const heapSettingsOf = (version: string) =>
      Object.keys(workerEnvironment(hasRedis, version)).filter((name) => name.startsWith("BUN_"));

    expect(heapSettingsOf("1.4.5")).toHaveLength(2);
    expect(heapSettingsOf("1.4.6")).toEqual([]);
  },
);

test("with Redis, where bids outlive collections, it collects sooner", () => {
  const bytesOf = (hasRedis: boolean) =>
    Number(workerEnvironment(hasRedis, "1.4.5").BUN_JSC_gcMaxHeapSize);

  expect(bytesOf(true)).toBeGreaterThan(0);
  expect(bytesOf(true)).toBeLessThan(bytesOf(false));
});
