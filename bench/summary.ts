import type { Sample } from "./measure.ts";
import { findVariant, type Variant } from "./variants.ts";

/** A figure over the turns. */
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
  "maxUs",
  "lateUs",
  "cpuUs",
  "redisCpuUs",
  "generatorShare",
  "othersShare",
  "workerMib",
] as const satisfies readonly (keyof Sample)[];

/** Quotients of samples under the same load. */
interface Quotients {
  readonly requestsPerSecond: Spread;
  readonly cpu: Spread;
  readonly p99: Spread;
}

/** Over another scenario in the turn of the same place, or itself without what runs beside it. */
interface Comparison extends Quotients {
  readonly scenario: string;
}

export interface Row extends Readonly<Record<(typeof FIGURES)[number], Spread>> {
  readonly scenario: string;
  readonly connections: number;
  /** At half the peak of this scenario; none: a closed loop. */
  readonly pacedBy: string | undefined;
  /** CPU per request over that of the reference in the same turn; none without a reference. */
  readonly ratio: Spread | undefined;
  /** 99th percentile over that of the reference in the same turn. */
  readonly p99Ratio: Spread | undefined;
  /** The same over that of the reference at half of its own peak, in the same turn. */
  readonly p99OwnRatio: Spread | undefined;
  /** The same over what it is compared with besides. */
  readonly against: Comparison | undefined;
  /** Shares of 1 over all turns, the most frequent first. */
  readonly answers: readonly { readonly kind: string; readonly share: number }[];
  /** What the scenario measures besides, by name with its unit. */
  readonly figures: Readonly<Record<string, Spread>>;
}

export function summarize(variants: readonly Variant[]): Row[] {
  return variants.map((variant) => {
    const { scenario, connections, pacedBy, samples, references, ownReferences } = variant;
    const reference = references.length > 0 ? divide(samples, references) : undefined;
    const own = ownReferences.length > 0 ? divide(samples, ownReferences) : undefined;
    const figures = Object.fromEntries(
      FIGURES.map((name) => [name, spread(samples.map((sample) => sample[name]))]),
    ) as Record<(typeof FIGURES)[number], Spread>;
    return {
      scenario: scenario.name,
      connections,
      pacedBy,
      ...figures,
      ratio: reference?.cpu,
      p99Ratio: reference?.p99,
      p99OwnRatio: own?.p99,
      against: compareAgainst(variant, variants),
      answers: shares(samples),
      figures: spreadFigures(samples),
    };
  });
}

function compareAgainst(variant: Variant, variants: readonly Variant[]): Comparison | undefined {
  const { scenario, samples, alone } = variant;
  if (scenario.isAgainstItself) return { scenario: "itself alone", ...divide(samples, alone) };
  return scenario.against ? compare(variant, scenario.against, variants) : undefined;
}

/** CPU by the ratios to the reference, where there are, since the two ran minutes apart. */
function compare(
  variant: Variant,
  name: string,
  variants: readonly Variant[],
): Comparison | undefined {
  const { samples, references } = variant;
  const other = findVariant(variants, name, variant);
  if (!other) return undefined;
  const quotients = divide(samples, other.samples);
  if (references.length === 0) return { scenario: name, ...quotients };
  const ratios = ratiosOf(samples, references, ({ cpuUs }) => cpuUs);
  const others = ratiosOf(other.samples, other.references, ({ cpuUs }) => cpuUs);
  return {
    scenario: name,
    ...quotients,
    cpu: spread(ratios.map((ratio, i) => ratio / others[i]!)),
  };
}

function divide(samples: readonly Sample[], others: readonly Sample[]): Quotients {
  return {
    requestsPerSecond: spread(ratiosOf(samples, others, (sample) => sample.requestsPerSecond)),
    cpu: spread(ratiosOf(samples, others, ({ cpuUs }) => cpuUs)),
    p99: spread(ratiosOf(samples, others, ({ p99Us }) => p99Us)),
  };
}

/** Each sample by the other in its place. */
const ratiosOf = (
  samples: readonly Sample[],
  others: readonly Sample[],
  of: (sample: Sample) => number,
): number[] => others.map((other, i) => of(samples[i]!) / of(other));

/** @param values  one at least */
export function spread(values: readonly number[]): Spread {
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

/** A turn in which something was not measured does not count for it. */
function spreadFigures(samples: readonly Sample[]): Row["figures"] {
  const names = new Set(samples.flatMap(({ figures }) => Object.keys(figures)));
  return Object.fromEntries(
    [...names].map((name) => [name, spread(samples.flatMap(({ figures }) => figures[name] ?? []))]),
  );
}
