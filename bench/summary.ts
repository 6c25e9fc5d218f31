import type { Sample } from "./measure.ts";
import type { Variant } from "./rounds.ts";
import { REFERENCE } from "./scenarios.ts";

/** A figure over the rounds. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

const FIGURES = [
  "requestsPerSecond",
  "p50Us",
  "p99Us",
  "p999Us",
  "cpuUs",
  "redisCpuUs",
  "generatorShare",
  "othersShare",
] as const satisfies readonly (keyof Sample)[];

export interface Row extends Readonly<Record<(typeof FIGURES)[number], Spread>> {
  readonly scenario: string;
  readonly connections: number;
  /** CPU per request over that of the reference in the same round; none without a reference. */
  readonly ratio: Spread | undefined;
  /** Shares of 1 over all rounds, the most frequent first. */
  readonly answers: readonly { readonly kind: string; readonly share: number }[];
}

export function summarize(variants: readonly Variant[]): Row[] {
  return variants.map(({ scenario, connections, samples }) => {
    const reference = variants.find(
      (other) => other.scenario.name === REFERENCE && other.connections === connections,
    );
    const figures = Object.fromEntries(
      FIGURES.map((name) => [name, spread(samples.map((sample) => sample[name]))]),
    ) as Record<(typeof FIGURES)[number], Spread>;
    return {
      scenario: scenario.name,
      connections,
      ...figures,
      ratio: reference && spread(samples.map((s, i) => s.cpuUs / reference.samples[i]!.cpuUs)),
      answers: shares(samples),
    };
  });
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  const median = sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

function shares(samples: readonly Sample[]): Row["answers"] {
  const counts = new Map<string, number>();
  let total = 0;
  for (const { answers } of samples) {
    for (const [kind, count] of answers) {
      counts.set(kind, (counts.get(kind) ?? 0) + count);
      total += count;
    }
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([kind, count]) => ({ kind, share: count / total }));
}
