import type { Plan } from "./plan.ts";
import { REFERENCE } from "./scenario.ts";
import type { Row } from "./summary.ts";

/** One row of this run beside the same row of an earlier one. */
export interface Difference {
  readonly scenario: string;
  readonly connections: number;
  /** Medians of CPU per request over that of the reference of its own run. */
  readonly before: number;
  readonly now: number;
  /** Growth, in percent. */
  readonly percent: number;
}

type BaselineRow = Pick<Row, "scenario" | "connections"> & {
  readonly pacedBy?: string | undefined;
  readonly ratio?: { readonly median: number } | undefined;
};

/** What a ratio depends on besides the service. */
const CONDITIONS = ["generator", "workers", "supplies"] as const satisfies readonly (keyof Plan)[];
type Conditions = Pick<Plan, (typeof CONDITIONS)[number]>;

/**
 * Reads the rows of a file that `--json` wrote.
 * @throws Error when it is not one, was measured without the reference or under other conditions
 */
export async function readBaseline(
  path: string,
  conditions: Conditions,
): Promise<readonly BaselineRow[]> {
  const content = await Bun.file(path)
    .json()
    .catch((error: Error) => {
      throw new Error(`baseline ${path}: ${error.message}`);
    });
  const rows: BaselineRow[] = Array.isArray(content?.rows) ? content.rows : [];
  if (!rows.some(({ ratio }) => ratio)) {
    throw new Error(`baseline ${path}: expected results of bun bench --json with the reference`);
  }
  for (const name of CONDITIONS) {
    const theirs = content.plan?.[name];
    if (theirs === conditions[name]) continue;
    throw new Error(`baseline ${path}: measured with ${name} ${theirs}, not ${conditions[name]}`);
  }
  return rows;
}

/**
 * @throws Error when nothing that will be measured, besides the reference, is in the baseline: a
 *   comparison with nothing finds no regression
 */
export function expectCommonRows(
  baseline: readonly BaselineRow[],
  { scenarios, connections }: Pick<Plan, "scenarios" | "connections">,
): void {
  const isCommon = scenarios.some(
    ({ name }) =>
      name !== REFERENCE && connections.some((count) => closedLoopOf(baseline, name, count)?.ratio),
  );
  if (!isCommon) throw new Error("the baseline has none of these scenarios at so many connections");
}

/**
 * Compares what two machines have in common: the ratio to the reference, which each run has
 * measured for itself. Requests per second and microseconds are the machine's, so they are not
 * compared. Only closed loops: the rate of the others differs from run to run. A row that is in one
 * of the runs alone is left out.
 */
export function compareWith(
  baseline: readonly BaselineRow[],
  rows: readonly Pick<Row, "scenario" | "connections" | "pacedBy" | "ratio">[],
): Difference[] {
  return rows.flatMap(({ scenario, connections, pacedBy, ratio }) => {
    if (pacedBy !== undefined || !ratio) return [];
    const earlier = closedLoopOf(baseline, scenario, connections);
    if (!earlier?.ratio) return [];
    const before = earlier.ratio.median;
    const now = ratio.median;
    return [{ scenario, connections, before, now, percent: (now / before - 1) * 100 }];
  });
}

/** @param percentMax  that a ratio may grow; what cannot be told has grown. None: no limit */
export const findRegressions = (
  differences: readonly Difference[],
  percentMax: number | undefined,
): readonly Difference[] =>
  percentMax === undefined ? [] : differences.filter(({ percent }) => !(percent <= percentMax));

const closedLoopOf = (rows: readonly BaselineRow[], scenario: string, connections: number) =>
  rows.find(
    (row) =>
      row.scenario === scenario && row.connections === connections && row.pacedBy === undefined,
  );
