import { expect, test } from "bun:test";
import { createWorld } from "./world.ts";

/**
 * Seeds that once failed, kept for good: offsets forgotten while their journal could still be
 * counted, records released before a store that went back was made good, a recheck that was lost
 * while another ran, a store that went back and forth between two rounds.
 */
const KEPT_SEEDS = [1, 21, 68, 112, 161];
/**
 * And of those in which the statistics are asked for, with a rule of the answer left out: that it
 * follows what the store holds, that it adds up, also where as much was recorded meanwhile as was
 * lost, that nothing came into doubt meanwhile.
 */
const KEPT_ASKING_SEEDS = [1000, 1022, 1935, 5400];
const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 3_000);
const LIMIT_MS = 10 * 60_000;
const STEPS = 400;

/**
 * Runs one seed to its end.
 * @returns how often the statistics were given
 * @throws Error naming the seed, to be kept above
 */
async function run(seed: number, asks: boolean): Promise<number> {
  const world = createWorld(seed, asks);
  try {
    for (let step = 0; step < STEPS; step++) {
      await world.step();
      world.check(false);
    }
    await world.heal();
    world.check(true);
    return world.answers();
  } catch (cause) {
    throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
  }
}

test("counts exactly what was recorded, in every seed that failed before", async () => {
  for (const seed of KEPT_SEEDS) await run(seed, false);
  for (const seed of KEPT_ASKING_SEEDS) await run(seed, true);
});

test(
  `counts exactly what was recorded, and says so, whatever breaks, in ${SEEDS} seeds`,
  async () => {
    let answers = 0;
    for (let seed = 1000; seed < 1000 + SEEDS; seed++) answers += await run(seed, true);
    expect(answers).toBeGreaterThan(SEEDS);
  },
  LIMIT_MS,
);

test("the same seed takes the same way", async () => {
  const totals = [];
  for (let i = 0; i < 2; i++) {
    const world = createWorld(42, true);
    for (let step = 0; step < STEPS; step++) await world.step();
    totals.push(world.recordedTotal());
  }
  expect(totals[0]).toBe(totals[1]!);
});
