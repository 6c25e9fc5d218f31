import { expect, test } from "bun:test";
import { createChildren } from "../../bench/children.ts";
import { createCpuClock } from "../../bench/cpu.ts";
import { runRounds } from "../../bench/rounds.ts";
import { REFERENCE, SCENARIOS } from "../../bench/scenarios.ts";

test("an answer that a scenario does not expect is a problem of the run, by row and round", async () => {
  const reference = SCENARIOS.find(({ name }) => name === REFERENCE)!;
  const children = createChildren();
  try {
    const { problems } = await runRounds(
      {
        scenarios: [{ ...reference, answers: { rate_limited: [1, 1] } }],
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
    expect(problems).toContain(
      "reference, 2 connections, round 1: 100.00 % 200, expected 0 to 0 %",
    );
  } finally {
    await children.stopAll();
  }
});
