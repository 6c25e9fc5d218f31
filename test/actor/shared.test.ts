import { describe, expect, test } from "bun:test";
import { createShared } from "../../src/actor/shared.ts";

/** A shared job that ends by hand: returns the call and its runs so far. */
function manualShared() {
  const runs: PromiseWithResolvers<string>[] = [];
  const call = createShared(() => {
    const run = Promise.withResolvers<string>();
    runs.push(run);
    return run.promise;
  });
  return { call, runs };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("shared", () => {
  test("starts at once when nothing runs", () => {
    const { call, runs } = manualShared();
    call();
    expect(runs.length).toBe(1);
  });

  test("gives those that come while the job runs one later run, together", async () => {
    const { call, runs } = manualShared();
    const first = call();
    const later = [call(), call(), call()];
    expect(runs.length).toBe(1);
    runs[0]!.resolve("first");
    expect(await first).toBe("first");
    await turn();
    expect(runs.length).toBe(2);
    runs[1]!.resolve("second");
    expect(await Promise.all(later)).toEqual(["second", "second", "second"]);
    expect(runs.length).toBe(2);
  });

  test("does not put one that comes during the later run into it", async () => {
    const { call, runs } = manualShared();
    call();
    const second = call();
    runs[0]!.resolve("first");
    await turn();
    const third = call();
    runs[1]!.resolve("second");
    expect(await second).toBe("second");
    await turn();
    expect(runs.length).toBe(3);
    runs[2]!.resolve("third");
    expect(await third).toBe("third");
  });

  test("never runs twice at a time, not even for one that comes just when a run has ended", async () => {
    const { call, runs } = manualShared();
    let third: Promise<string> | undefined;
    call().then(() => {
      third = call(); // The run for the second caller is due and has not begun.
    });
    const second = call();
    runs[0]!.resolve("first");
    await turn();
    expect(runs.length).toBe(2);
    runs[1]!.resolve("second");
    expect(await Promise.all([second, third])).toEqual(["second", "second"]);
  });

  test("runs again for the waiting after a run that failed", async () => {
    const { call, runs } = manualShared();
    const first = call().catch((fault) => fault);
    const second = call();
    runs[0]!.reject("broken");
    expect(await first).toBe("broken");
    await turn();
    runs[1]!.resolve("whole");
    expect(await second).toBe("whole");
  });

  test("starts anew once nothing runs", async () => {
    const { call, runs } = manualShared();
    const first = call();
    runs[0]!.resolve("first");
    await first;
    call();
    expect(runs.length).toBe(2);
  });
});
