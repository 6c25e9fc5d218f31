import { unexpectedAnswers } from "./answers.ts";
import { measure, type Sample } from "./measure.ts";
import type { Plan, Tools } from "./plan.ts";
import { type Act, REFERENCE, type Scenario } from "./scenario.ts";
import { sendLoad } from "./stage.ts";
import { spread } from "./summary.ts";
import { findVariant, isPaced, type LoadShape, labelOf, type Variant } from "./variants.ts";

const ATTEMPTS = 10;

export interface TurnsOptions {
  plan: Plan;
  tools: Tools;
  /** Where the samples go. */
  variants: readonly Variant[];
  /** None where it is not chosen. */
  reference: Act | undefined;
  onProblem: (problem: string) => void;
}

/** Measures what has started, each time right after the reference. */
export interface Turns {
  /** Under every load of the plan, some times each. */
  take(act: Act, round: number): Promise<void>;
}

export function createTurns(options: TurnsOptions): Turns {
  const { plan, tools, variants, reference, onProblem } = options;
  const rowOf = (name: string, shape: LoadShape) => findVariant(variants, name, shape);

  async function take(act: Act, round: number): Promise<void> {
    for (const connections of plan.connections) {
      await takeTurns(act, { connections }, round);
      const { pacedBy } = act.scenario;
      const rate = pacedBy && isPaced(plan) && halfPeakOf(pacedBy, connections);
      if (rate) await takeTurns(act, { connections, pacedBy, rate }, round);
    }
  }

  /** Of the turns before; none when the scenario is not chosen. */
  function halfPeakOf(name: string, connections: number): number | undefined {
    const row = rowOf(name, { connections });
    return row && rateOfTurns(row) / 2;
  }

  function rateOfTurns({ samples }: Variant): number {
    return spread(samples.slice(-plan.turns).map((sample) => sample.requestsPerSecond)).median;
  }

  async function takeTurns(act: Act, shape: LoadShape, round: number): Promise<void> {
    const { name, beside, isAgainstItself } = act.scenario;
    const row = rowOf(name, shape)!;
    for (let turn = 1; turn <= plan.turns; turn++) {
      const before = act === reference ? undefined : await takeReferences(shape, round);
      // In turns, since what comes second meets a service that is warmer.
      const isAloneFirst = (round + turn) % 2 === 0;
      if (isAloneFirst) await takeAlone();
      const taken = await takeSample(act, shape, round, beside);
      if (!isAloneFirst) await takeAlone();
      row.samples.push(taken);
      if (reference) row.references.push(before?.same ?? taken);
      if (before?.own) row.ownReferences.push(before.own);
    }
    const shown = Math.round(rateOfTurns(row)).toLocaleString("en");
    tools.say(`round ${round} of ${plan.rounds}: ${labelOf(name, shape)}: ${shown} requests/s`);

    async function takeAlone(): Promise<void> {
      if (isAgainstItself) row.alone.push(await takeSample(act, shape, round));
    }
  }

  /** The reference under the load of another scenario; before, where that is paced, under its own. */
  async function takeReferences(shape: LoadShape, round: number) {
    if (!reference) return undefined;
    const { connections, rate } = shape;
    const ownRate = rate && halfPeakOf(REFERENCE, connections);
    const own = ownRate && (await takeOne({ connections, pacedBy: REFERENCE, rate: ownRate }));
    return { own, same: await takeOne(shape) };

    async function takeOne(load: LoadShape): Promise<Sample> {
      const taken = await takeSample(reference!, load, round);
      const row = rowOf(REFERENCE, load)!;
      row.samples.push(taken);
      row.references.push(taken);
      return taken;
    }
  }

  async function takeSample(
    act: Act,
    shape: LoadShape,
    round: number,
    beside?: Scenario["beside"],
  ): Promise<Sample> {
    const { name, isAgainstItself, answers } = act.scenario;
    const label = `${labelOf(name, shape)}${isAgainstItself && !beside ? ", alone" : ""}`;
    const { sample, fault } = await takeInQuiet(act, shape, label, beside);
    const found = unexpectedAnswers(answers, sample.answers);
    if (fault) found.push(fault.message);
    for (const problem of found) onProblem(`${label}, round ${round}: ${problem}`);
    return sample;
  }

  /** The last attempt counts, however noisy. */
  async function takeInQuiet(
    act: Act,
    { connections, rate }: LoadShape,
    label: string,
    beside: Scenario["beside"],
  ) {
    const { seconds, othersShareMax } = plan;
    const run = () => sendLoad(plan, tools, act, { connections, rate, seconds });
    const watch = beside && ((signal: AbortSignal) => beside(act, signal));
    for (let attempt = 1; ; attempt++) {
      const taken = await measure(act.target, run, tools.clock, watch);
      const { othersShare } = taken.sample;
      if (!(othersShare > othersShareMax) || attempt === ATTEMPTS) return taken;
      tools.say(`${label}: again, other processes used ${Math.round(othersShare * 100)} %`);
    }
  }

  return { take };
}
