import type { Plan, Tools } from "./plan.ts";
import { REFERENCE, type Scenario } from "./scenario.ts";
import { openAct } from "./stage.ts";
import { createTurns } from "./turns.ts";
import { findVariant, listVariants, type Variant } from "./variants.ts";

export interface RoundsResult {
  readonly variants: readonly Variant[];
  /** What should not have happened, such as answers that no one expected, a line each. */
  readonly problems: readonly string[];
}

/**
 * Takes some samples of each variant per round, so that a slow minute of the machine hits all of
 * them alike, each in turn with one of the reference, so that slow seconds do, too. Only the
 * reference stays between the rounds, idle without a cost; every other scenario is started, warmed
 * up, measured and ended in turn.
 */
export async function runRounds(plan: Plan, tools: Tools): Promise<RoundsResult> {
  const variants = listVariants(plan);
  const problems: string[] = [];
  const onProblem = (problem: string) => void problems.push(problem);
  const referenceGroup = tools.children.group();
  const chosen = plan.scenarios.find(({ name }) => name === REFERENCE);
  const reference = chosen && (await openAct(plan, tools, chosen, referenceGroup));
  const turns = createTurns({ plan, tools, variants, reference, onProblem });
  for (let round = 1; round <= plan.rounds; round++) {
    for (const scenario of plan.scenarios) await visit(scenario, round);
  }
  await referenceGroup.stopAll();
  return { variants, problems };

  async function visit(scenario: Scenario, round: number): Promise<void> {
    const group = tools.children.group();
    const isReference = reference?.scenario === scenario;
    const act = isReference ? reference : await openAct(plan, tools, scenario, group);
    await turns.take(act, round);
    try {
      const after = await scenario.after?.(act, plan.turns * plan.seconds, group);
      if (after) {
        const row = findVariant(variants, scenario.name, { connections: plan.connections[0]! })!;
        const sample = row.samples.pop()!;
        row.samples.push({ ...sample, figures: { ...sample.figures, ...after } });
      }
    } catch (error) {
      onProblem(`${scenario.name}, round ${round}: ${(error as Error).message}`);
    }
    await group.stopAll();
  }
}
