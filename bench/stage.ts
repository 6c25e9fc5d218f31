import { type BenchCatalog, sampleCatalog } from "./catalogs.ts";
import type { Scenario, Stage } from "./scenarios.ts";
import { startExchange, startPlain, type Target } from "./target.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

/** A scenario that has started. */
export interface Act {
  readonly target: Target;
  readonly catalog: BenchCatalog;
  readonly traffic: Traffic;
}

/** @param workers  processes of it, where the scenario does not say */
export async function stageScenario(
  stage: Stage,
  { name, plain, exchange, clients, tmaxMs }: Scenario,
  workers: number,
): Promise<Act> {
  const { children } = stage;
  const catalog = await (exchange?.catalog ?? sampleCatalog)(stage);
  const traffic = createTraffic({ catalog, clients, tmaxMs });
  if (!exchange) {
    return { target: await startPlain(children, plain!, workers), catalog, traffic };
  }
  const target = await startExchange(children, {
    name,
    workers: exchange.workers ?? workers,
    store: exchange.store,
    catalog: catalog.path,
    settings: exchange.settings ?? {},
  });
  return { target, catalog, traffic };
}
