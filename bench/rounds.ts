import { unexpectedAnswers } from "./answers.ts";
import type { ChildGroup, Children } from "./children.ts";
import type { CpuClock } from "./cpu.ts";
import { type LoadOptions, runLoad } from "./load.ts";
import { measure, type Sample } from "./measure.ts";
import { paces, REFERENCE, type Scenario } from "./scenarios.ts";
import { type Act, stageScenario } from "./stage.ts";
import { findVariant, spread } from "./summary.ts";
import { runWrk } from "./wrk.ts";

/** What the compilers of the runtime need until a request costs what it costs from then on. */
const WARM_UP_SECONDS_MAX = 20;
/** The warm-up lasts as long as the measurements of so many visits. */
const WARM_UP_VISITS = 5;
const ATTEMPTS = 10;

export interface Plan {
  scenarios: readonly Scenario[];
  connections: readonly number[];
  rounds: number;
  /** Measurements of a scenario in a round, each right after one of the reference. */
  turns: number;
  seconds: number;
  workers: number;
  /** Supplies of the large catalog. */
  supplies: number;
  /** What sends closed loops; a fixed rate is always autocannon's. */
  generator: "autocannon" | "wrk";
  /** Share of one core that others may use; with more, a measurement is taken again, some times. */
  othersShareMax: number;
}

/** One row of the table: a scenario under one load, with a sample of each turn of each round. */
export interface Variant {
  readonly scenario: Scenario;
  readonly connections: number;
  /** The rate is half the peak of this scenario in the same round; none: a closed loop. */
  readonly pacedBy: string | undefined;
  readonly samples: Sample[];
  /** The reference under the same load, in the same turn; none without it. */
  readonly references: Sample[];
  /** At a fixed rate: the reference at half of its own peak, in the same turn; else none. */
  readonly ownReferences: Sample[];
  /** The same without what runs beside it, right before or after the sample in that place. */
  readonly alone: Sample[];
}

export interface RoundsResult {
  readonly variants: readonly Variant[];
  /** Answers that should not have been given, a line each. */
  readonly problems: readonly string[];
}

/** What runs of one plan share. */
export interface Tools {
  children: Children;
  clock: CpuClock;
  say: (line: string) => void;
}

/**
 * Takes some samples of each variant per round, so that a slow minute of the machine hits all of
 * them alike, each in turn with one of the reference, so that slow seconds do, too. Only the
 * reference stays between the rounds, idle without a cost; every other scenario is started, warmed
 * up, measured and ended in turn.
 */
export async function runRounds(plan: Plan, tools: Tools): Promise<RoundsResult> {
  const variants = listVariants(plan);
  const rowOf = (name: string, shape: Shape) => findVariant(variants, name, shape);
  const problems: string[] = [];
  const reference = plan.scenarios.find(({ name }) => name === REFERENCE);
  const referenceGroup = tools.children.group();
  const referenceAct = reference && (await openAct(plan, tools, reference, referenceGroup));
  let round = 0;
  while (++round <= plan.rounds) {
    for (const scenario of plan.scenarios) await visit(scenario);
  }
  await referenceGroup.stopAll();
  return { variants, problems };

  async function visit(scenario: Scenario) {
    const group = tools.children.group();
    const isReference = scenario === reference;
    const act = isReference ? referenceAct! : await openAct(plan, tools, scenario, group);
    for (const connections of plan.connections) {
      await takeTurns(scenario, act, { connections });
      const { pacedBy } = scenario;
      const rate = pacedBy && isPaced(plan) && halfPeakOf(pacedBy, connections);
      if (rate) await takeTurns(scenario, act, { connections, pacedBy, rate });
    }
    try {
      const after = await scenario.after?.(act, plan.turns * plan.seconds, group);
      if (after) {
        const row = rowOf(scenario.name, { connections: plan.connections[0]! })!;
        const sample = row.samples.pop()!;
        row.samples.push({ ...sample, figures: { ...sample.figures, ...after } });
      }
    } catch (error) {
      problems.push(`${scenario.name}, round ${round}: ${(error as Error).message}`);
    }
    await group.stopAll();
  }

  /** Of the turns before; none when the scenario is not chosen. */
  function halfPeakOf(name: string, connections: number): number | undefined {
    const row = rowOf(name, { connections });
    return row && rateOfTurns(row) / 2;
  }

  function rateOfTurns({ samples }: Variant): number {
    return spread(samples.slice(-plan.turns).map((sample) => sample.requestsPerSecond)).median;
  }

  async function takeTurns(scenario: Scenario, act: Act, shape: Shape) {
    const row = rowOf(scenario.name, shape)!;
    for (let turn = 1; turn <= plan.turns; turn++) {
      const before = scenario === reference ? undefined : await takeReferences(shape);
      // In turns, since what comes second meets a service that is warmer.
      const isAloneFirst = (round + turn) % 2 === 0;
      if (isAloneFirst) await takeAlone();
      const taken = await takeSample(scenario, act, shape, scenario.beside);
      if (!isAloneFirst) await takeAlone();
      row.samples.push(taken);
      if (reference) row.references.push(before?.same ?? taken);
      if (before?.own) row.ownReferences.push(before.own);
    }
    const shown = Math.round(rateOfTurns(row)).toLocaleString("en");
    const label = labelOf(scenario, shape);
    tools.say(`round ${round} of ${plan.rounds}: ${label}: ${shown} requests/s`);

    async function takeAlone(): Promise<void> {
      if (scenario.isAgainstItself) row.alone.push(await takeSample(scenario, act, shape));
    }
  }

  /** The reference under the load of another scenario; before, where that is paced, under its own. */
  async function takeReferences(shape: Shape) {
    if (!reference) return undefined;
    const { connections, rate } = shape;
    const ownRate = rate && halfPeakOf(REFERENCE, connections);
    const own = ownRate && (await takeOne({ connections, pacedBy: REFERENCE, rate: ownRate }));
    return { own, same: await takeOne(shape) };

    async function takeOne(load: Shape): Promise<Sample> {
      const taken = await takeSample(reference!, referenceAct!, load);
      const row = rowOf(REFERENCE, load)!;
      row.samples.push(taken);
      row.references.push(taken);
      return taken;
    }
  }

  async function takeSample(
    scenario: Scenario,
    act: Act,
    shape: Shape,
    beside?: Scenario["beside"],
  ): Promise<Sample> {
    const isAlone = scenario.isAgainstItself && !beside;
    const label = `${labelOf(scenario, shape)}${isAlone ? ", alone" : ""}`;
    const sample = await sampleInQuiet(plan, tools, act, shape, label, beside);
    const found = unexpectedAnswers(scenario.answers, sample.answers);
    problems.push(...found.map((problem) => `${label}, round ${round}: ${problem}`));
    return sample;
  }
}

/** How a load is sent; without a rate in a closed loop. */
interface Shape {
  readonly connections: number;
  readonly pacedBy?: string;
  readonly rate?: number;
}

const labelOf = ({ name }: Scenario, { connections, rate }: Shape) =>
  `${name}, ${connections} connections${rate ? ", half the peak" : ""}`;

/** Only autocannon can send a fixed rate, and it cannot reach half of the peak of wrk. */
const isPaced = ({ generator }: Plan) => generator === "autocannon";

/** The rows, in the order of the table: closed loops first. */
function listVariants(plan: Plan): Variant[] {
  const { scenarios, connections } = plan;
  const row = (scenario: Scenario, count: number, pacedBy?: string): Variant => ({
    scenario,
    connections: count,
    pacedBy,
    samples: [],
    references: [],
    ownReferences: [],
    alone: [],
  });
  const isChosen = (name: string | undefined) => scenarios.some((other) => other.name === name);
  const reference = scenarios.find(({ name }) => name === REFERENCE);
  const closed = connections.flatMap((count) => scenarios.map((scenario) => row(scenario, count)));
  const paced = connections.flatMap((count) =>
    scenarios.flatMap((scenario) => {
      const { pacedBy } = scenario;
      if (!isChosen(pacedBy) || !isPaced(plan)) return [];
      const own = row(scenario, count, pacedBy);
      return reference && paces(scenario) ? [row(reference, count, pacedBy), own] : [own];
    }),
  );
  return [...closed, ...paced];
}

/** Starts a scenario and warms it up. */
export async function openAct(
  plan: Plan,
  tools: Tools,
  scenario: Scenario,
  group: ChildGroup,
): Promise<Act> {
  tools.say(`starting ${scenario.name}`);
  const { workers, supplies, seconds, turns } = plan;
  const stage = { children: group, dir: tools.children.dir, supplies };
  const act = await stageScenario(stage, scenario, workers);
  const connections = plan.connections[0]!;
  const loadEnd = new AbortController();
  const warmUp = load(plan, tools, act, {
    connections,
    rate: scenario.warmUpRate,
    seconds: Math.min(WARM_UP_SECONDS_MAX, WARM_UP_VISITS * turns * seconds),
  });
  const besides = scenario.besideWarmUp?.(act, loadEnd.signal);
  await Promise.all([warmUp.finally(() => loadEnd.abort()), besides]);
  return act;
}

/** The last attempt counts, however noisy. */
async function sampleInQuiet(
  plan: Plan,
  tools: Tools,
  act: Act,
  { connections, rate }: Shape,
  label: string,
  beside: Scenario["beside"],
): Promise<Sample> {
  const run = () => load(plan, tools, act, { connections, rate, seconds: plan.seconds });
  const watch = beside && ((signal: AbortSignal) => beside(act, signal));
  for (let attempt = 1; ; attempt++) {
    const taken = await measure(act.target, run, tools.clock, watch);
    if (!(taken.othersShare > plan.othersShareMax) || attempt === ATTEMPTS) return taken;
    tools.say(`${label}: again, other processes used ${Math.round(taken.othersShare * 100)} %`);
  }
}

function load(
  { generator }: Plan,
  { children }: Tools,
  { target, traffic }: Act,
  shape: Pick<LoadOptions, "connections" | "seconds" | "rate">,
) {
  const options: LoadOptions = { url: target.url, traffic, ...shape };
  const isClosed = shape.rate === undefined;
  return generator === "wrk" && isClosed ? runWrk(children.dir, options) : runLoad(options);
}
