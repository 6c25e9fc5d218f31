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

test("only with Redis, and only the Bun whose heap was measured, is told how to keep it", () => {
  const heapSettingsOf = (hasRedis: boolean, version: string) =>
    Object.keys(workerEnvironment(hasRedis, version)).filter((name) => name.startsWith("BUN_JSC_"));

  expect(heapSettingsOf(true, "1.4.5")).toHaveLength(2);
  expect(heapSettingsOf(true, "1.4.6")).toEqual([]);
  expect(heapSettingsOf(false, "1.4.5")).toEqual([]);
});
