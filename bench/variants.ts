import type { Sample } from "./measure.ts";
import type { Plan } from "./plan.ts";
import { paces, REFERENCE, type Scenario } from "./scenario.ts";

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

/** How a load is sent; without a rate in a closed loop. */
export interface LoadShape {
  readonly connections: number;
  readonly pacedBy?: string;
  readonly rate?: number;
}

export const labelOf = (name: string, { connections, rate }: LoadShape) =>
  `${name}, ${connections} connections${rate ? ", half the peak" : ""}`;

/** Only autocannon can send a fixed rate, and it cannot reach half of the peak of wrk. */
export const isPaced = ({ generator }: Plan) => generator === "autocannon";

/** The rows, in the order of the table: closed loops first. */
export function listVariants(plan: Plan): Variant[] {
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

export function findVariant(
  variants: readonly Variant[],
  name: string,
  { connections, pacedBy }: Pick<Variant, "connections"> & Partial<Pick<Variant, "pacedBy">>,
): Variant | undefined {
  return variants.find(
    (variant) =>
      variant.scenario.name === name &&
      variant.connections === connections &&
      variant.pacedBy === pacedBy,
  );
}
