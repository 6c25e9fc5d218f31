import type { Children } from "./children.ts";
import type { CpuClock } from "./cpu.ts";
import { measure, type Sample } from "./measure.ts";
import { type Scenario, unexpectedAnswers } from "./scenarios.ts";
import { startExchange, startReference, type Target } from "./target.ts";
import { createTraffic } from "./traffic.ts";

const WARM_UP_SECONDS_MAX = 3;
const ATTEMPTS = 10;

export interface Plan {
  scenarios: readonly Scenario[];
  connections: readonly number[];
  rounds: number;
  seconds: number;
  workers: number;
  /** Share of one core that others may use; a measurement with more is taken again, within limits. */
  othersShareMax: number;
}

/** One row of the table: a scenario under so many connections, with a sample of each round. */
export interface Variant {
  readonly scenario: Scenario;
  readonly connections: number;
  readonly samples: Sample[];
}

export interface Outcome {
  readonly variants: readonly Variant[];
  /** Answers that should not have been given, a line each. */
  readonly problems: readonly string[];
}

/**
 * Starts everything, then takes one sample of each variant per round, so that a slow minute of the
 * machine hits all of them alike.
 */
export async function runRounds(
  plan: Plan,
  children: Children,
  clock: CpuClock,
  say: (line: string) => void,
): Promise<Outcome> {
  const { scenarios, workers, seconds, rounds } = plan;
  const catalog = await Bun.file(new URL("../data/catalog.json", import.meta.url)).json();
  const trafficOf = {
    distinct: createTraffic(catalog, "distinct"),
    one: createTraffic(catalog, "one"),
  };
  const problems: string[] = [];
  const targets = new Map<string, Target>();
  for (const scenario of scenarios) {
    say(`starting ${scenario.name}`);
    targets.set(scenario.name, await startTarget(scenario));
  }

  for (const scenario of scenarios) {
    say(`warming up ${scenario.name}`);
    await sample(scenario, plan.connections[0]!, Math.min(WARM_UP_SECONDS_MAX, seconds));
  }
  const variants: Variant[] = plan.connections.flatMap((connections) =>
    scenarios.map((scenario) => ({ scenario, connections, samples: [] })),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const { scenario, connections, samples } of variants) {
      const label = `${scenario.name}, ${connections} connections`;
      const taken = await sampleInQuiet(scenario, connections, label);
      samples.push(taken);
      const found = unexpectedAnswers(scenario, taken.answers);
      problems.push(...found.map((problem) => `${label}, round ${round}: ${problem}`));
      const rate = Math.round(taken.requestsPerSecond).toLocaleString("en");
      say(`round ${round} of ${rounds}: ${label}: ${rate} requests/s`);
    }
  }
  return { variants, problems };

  function startTarget({ name, exchange }: Scenario): Promise<Target> {
    if (!exchange) return startReference(children, workers);
    return startExchange(children, { name, workers, ...exchange });
  }

  /** The last attempt counts, however noisy. */
  async function sampleInQuiet(scenario: Scenario, connections: number, label: string) {
    for (let attempt = 1; ; attempt++) {
      const taken = await sample(scenario, connections, seconds);
      if (!(taken.othersShare > plan.othersShareMax) || attempt === ATTEMPTS) return taken;
      say(`${label}: again, other processes used ${Math.round(taken.othersShare * 100)} %`);
    }
  }

  function sample(scenario: Scenario, connections: number, duration: number): Promise<Sample> {
    const traffic = trafficOf[scenario.clients];
    const target = targets.get(scenario.name)!;
    return measure(target, { connections, seconds: duration, traffic }, clock);
  }
}
