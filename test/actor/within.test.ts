import { describe, expect, test } from "bun:test";
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
