import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { within } from "../../src/actor/within.ts";

const never = () => new Promise<never>(() => {});

describe("within", () => {
  test("settles as work that ends in time does", async () => {
    expect(await within(Promise.resolve("done"), 60_000, "work")).toBe("done");
    const fault = new Error("broken");
    expect(await within(Promise.reject(fault), 60_000, "work").catch((f) => f)).toBe(fault);
  });

  test("rejects with the name of work that never ends, and the time it had", async () => {
    await expect(within(never(), 1, "drain")).rejects.toThrow("drain: not done in 1 ms");
  });

  test("keeps no process alive once the work is done", async () => {
    const module = JSON.stringify(resolve("src/actor/within.ts"));
    const program = `import { within } from ${module}; await within(Promise.resolve(), 60_000, "w")`;
    const child = Bun.spawn([process.execPath, "-e", program], { timeout: 10_000 });
    expect(await child.exited).toBe(0);
  });

  test("leaves no rejection unhandled when the work fails after its deadline", async () => {
    const unhandled: unknown[] = [];
    const note = (fault: unknown) => unhandled.push(fault);
    process.on("unhandledRejection", note);
    const work = Promise.withResolvers<void>();
    await within(work.promise, 1, "work").catch(() => {});
    work.reject(new Error("too late"));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});
