import { expect, test } from "bun:test";
import { createErrand } from "../../src/actor/errand.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An errand whose runs and waits end by hand. */
function manualErrand() {
  const runs: PromiseWithResolvers<void>[] = [];
  const waits: { ms: number; end: () => void }[] = [];
  let isOver = false;
  const ask = createErrand({
    run() {
      const run = Promise.withResolvers<void>();
      runs.push(run);
      return run.promise;
    },
    isOver: () => isOver,
    waitMs: 250,
    wait: (ms) => new Promise((end) => void waits.push({ ms, end })),
  });
  const end = () => {
    isOver = true;
  };
  return { ask, runs, waits, end };
}

test("however many ask during a run, it is run once more", async () => {
  const { ask, runs } = manualErrand();
  ask();
  expect(runs.length).toBe(1);
  for (let i = 0; i < 1_500; i++) ask();
  expect(runs.length).toBe(1);
  runs[0]!.resolve();
  await turn();
  expect(runs.length).toBe(2);
  runs[1]!.resolve();
  await turn();
  expect(runs.length).toBe(2);
  ask();
  expect(runs.length).toBe(3);
});

test("a run that failed is repeated after a wait, for those who asked meanwhile as well", async () => {
  const { ask, runs, waits } = manualErrand();
  ask();
  runs[0]!.reject(new Error("away"));
  await turn();
  ask();
  expect([runs.length, waits.map(({ ms }) => ms)]).toEqual([1, [250]]);
  waits[0]!.end();
  await turn();
  runs[1]!.resolve();
  await turn();
  expect([runs.length, waits.length]).toEqual([2, 1]);
});

test("is let be once it is over", async () => {
  const { ask, runs, waits, end } = manualErrand();
  ask();
  runs[0]!.reject(new Error("away"));
  await turn();
  end();
  waits[0]!.end();
  await turn();
  ask();
  expect(runs.length).toBe(1);
});
