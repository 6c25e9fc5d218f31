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

test("only the Bun whose heap was measured is told how to keep it", () => {
  const heapSettingsOf = (version: string) =>
    Object.keys(workerEnvironment(false, version)).filter((name) => name.startsWith("BUN_JSC_"));

  expect(heapSettingsOf("1.4.5")).toHaveLength(2);
  expect(heapSettingsOf("1.4.6")).toEqual([]);
});
