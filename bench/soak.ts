import { unexpectedAnswers } from "./answers.ts";
import { runLoad } from "./load.ts";
import { type MemoryUse, shareMib, watchMemory } from "./memory.ts";
import type { Plan, Tools } from "./plan.ts";
import { paces } from "./scenario.ts";
import { openAct } from "./stage.ts";
import type { Spread } from "./summary.ts";

/** How the memory of a service grew under load, pages that processes share in equal parts. */
export interface Soak extends MemoryUse {
  readonly scenario: string;
  readonly seconds: number;
  readonly requests: number;
  /** Of the worker that is the largest by this, shared pages counted whole. */
  readonly residentMib: Spread;
}

/** Loads the scenarios that pace others, one after the other, for so long each. */
export async function runSoak(plan: Plan, tools: Tools, seconds: number) {
  const soaks: Soak[] = [];
  const problems: string[] = [];
  for (const scenario of plan.scenarios) {
    if (!paces(scenario)) continue;
    const group = tools.children.group();
    const { target, traffic } = await openAct(plan, tools, scenario, group);
    tools.say(`soaking ${scenario.name} for ${seconds} s`);
    const memory = watchMemory(target.workerPids, shareMib);
    const resident = watchMemory(target.workerPids);
    const connections = plan.connections[0]!;
    const { requests, answers } = await runLoad({
      url: target.url,
      connections,
      seconds,
      traffic,
    });
    soaks.push({
      scenario: scenario.name,
      seconds,
      requests,
      ...memory.stop(),
      residentMib: resident.stop().workerMib,
    });
    const found = unexpectedAnswers(scenario.answers, answers);
    problems.push(...found.map((problem) => `${scenario.name}, soak: ${problem}`));
    await group.stopAll();
  }
  return { soaks, problems };
}
