import { sampleCatalog } from "./catalogs.ts";
import type { ChildGroup } from "./children.ts";
import { type LoadOptions, runLoad } from "./load.ts";
import type { Plan, Tools } from "./plan.ts";
import type { Act, Scenario, Stage } from "./scenario.ts";
import { startExchange, startPlain } from "./target.ts";
import { createTraffic } from "./traffic.ts";
import { runWrk } from "./wrk.ts";

/** What the compilers of the runtime need until a request costs what it costs from then on. */
const WARM_UP_SECONDS_MAX = 20;
/** The warm-up lasts as long as the measurements of so many visits. */
const WARM_UP_VISITS = 5;

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
  const warmUp = sendLoad(plan, tools, act, {
    connections,
    rate: scenario.warmUpRate,
    seconds: Math.min(WARM_UP_SECONDS_MAX, WARM_UP_VISITS * turns * seconds),
  });
  const besides = scenario.besideWarmUp?.(act, loadEnd.signal);
  await Promise.all([warmUp.finally(() => loadEnd.abort()), besides]);
  return act;
}

/** @param workers  processes of it, where the scenario does not say */
async function stageScenario(stage: Stage, scenario: Scenario, workers: number): Promise<Act> {
  const { children } = stage;
  const { name, plain, exchange, clients, tmaxMs } = scenario;
  const catalog = await (exchange?.catalog ?? sampleCatalog)(stage);
  const traffic = createTraffic({ catalog, clients, tmaxMs });
  if (!exchange) {
    const target = await startPlain(children, plain!, workers);
    return { scenario, target, catalog, traffic };
  }
  const target = await startExchange(children, {
    name,
    workers: exchange.workers ?? workers,
    store: exchange.store,
    catalog: catalog.path,
    settings: exchange.settings ?? {},
  });
  return { scenario, target, catalog, traffic };
}

/** Sends a load to a scenario, by what the plan says. */
export function sendLoad(
  { generator }: Plan,
  { children }: Tools,
  { target, traffic }: Act,
  shape: Pick<LoadOptions, "connections" | "seconds" | "rate">,
) {
  const options: LoadOptions = { url: target.url, traffic, ...shape };
  const isClosed = shape.rate === undefined;
  return generator === "wrk" && isClosed ? runWrk(children.dir, options) : runLoad(options);
}
