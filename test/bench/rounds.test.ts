import { expect, test } from "bun:test";
import { createChildren } from "../../bench/children.ts";
import { createCpuClock } from "../../bench/cpu.ts";
import { runRounds } from "../../bench/rounds.ts";
import { REFERENCE, type Scenario } from "../../bench/scenario.ts";
import { SCENARIOS } from "../../bench/scenarios.ts";

/** One short round of the reference, as changed. */
async function runReference(change: Partial<Scenario>) {
  const reference = SCENARIOS.find(({ name }) => name === REFERENCE)!;
  const children = createChildren();
  try {
    return await runRounds(
      {
        scenarios: [{ ...reference, ...change }],
        connections: [2],
        rounds: 1,
        turns: 1,
        seconds: 0.2,
        workers: 1,
        supplies: 1,
        generator: "autocannon",
        othersShareMax: Number.POSITIVE_INFINITY,
      },
      { children, clock: createCpuClock(), say: () => {} },
    );
  } finally {
    await children.stopAll();
  }
}

test("an answer that a scenario does not expect is a problem of the run, by row and round", async () => {
  const { problems } = await runReference({ answers: { rate_limited: [1, 1] } });
  expect(problems).toContain("reference, 2 connections, round 1: 100.00 % 200, expected 0 to 0 %");
});

test("what fails beside the load is a problem of the run, which goes on", async () => {
  const beside = () => Promise.reject(new Error("GET /stat: 503"));
  const { problems, variants } = await runReference({ beside });
  expect(problems).toContain("reference, 2 connections, round 1: GET /stat: 503");
  expect(variants.map(({ samples }) => samples.length)).toEqual([1, 1]);
});
