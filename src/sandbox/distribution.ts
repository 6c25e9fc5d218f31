import { Type } from "@sinclair/typebox";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Uniform over [0, 1), always the same numbers for the same seed. */
export type Random = () => number;

/** A sequence of its own for each name. */
export function createRandom(name: string, seed: number): Random {
  const generator = xoroshiro128plus(Bun.hash.xxHash32(name, seed));
  return () => (generator.next() >>> 0) / 2 ** 32;
}

/** A constant, a uniform range with both ends, or a lognormal by its median and 99th percentile. */
export function distributionSchema(minimum: number, maximum: number, fallback: number) {
  const bounds = { minimum, maximum };
  const closed = { additionalProperties: false };
  const forms = 'a number, {"min", "max"} or {"median", "p99"}';
  return Type.Union(
    [
      Type.Number(bounds),
      Type.Object({ min: Type.Number(bounds), max: Type.Number(bounds) }, closed),
      Type.Object(
        { median: Type.Number({ ...bounds, exclusiveMinimum: 0 }), p99: Type.Number(bounds) },
        closed,
      ),
    ],
    { expected: `expected ${forms}, ${minimum} to ${maximum}`, default: fallback },
  );
}

export type Distribution =
  | number
  | { readonly min: number; readonly max: number }
  | { readonly median: number; readonly p99: number };

/** Whether its lower figure is the lower one. */
export function isOrdered(distribution: Distribution): boolean {
  if (typeof distribution === "number") return true;
  if ("min" in distribution) return distribution.min <= distribution.max;
  return distribution.median <= distribution.p99;
}

/** How many standard deviations above the mean the 99th percentile of a normal one is. */
const Z99 = 2.3263478740408408;

/**
 * Draws whole steps, so that money is whole cents and nothing depends on how a fraction prints.
 * @param stepsPerUnit  100 where the distribution is of dollars and a step is a cent
 * @param mostSteps     the end of a lognormal, which has none of its own; its least is one step
 */
export function createSampler(
  distribution: Distribution,
  stepsPerUnit: number,
  mostSteps: number,
): (random: Random) => number {
  if (typeof distribution === "number") {
    const steps = Math.round(distribution * stepsPerUnit);
    return () => steps;
  }
  if ("min" in distribution) {
    const least = Math.round(distribution.min * stepsPerUnit);
    const count = Math.round(distribution.max * stepsPerUnit) - least + 1;
    return (random) => least + Math.floor(random() * count);
  }
  const median = distribution.median * stepsPerUnit;
  const deviation = Math.log(distribution.p99 / distribution.median) / Z99;
  return (random) => {
    const steps = Math.round(median * Math.exp(deviation * drawNormal(random)));
    return Math.min(Math.max(steps, 1), mostSteps);
  };
}

/** Standard normal, by Box and Muller: always two draws, so that a sequence stays in step. */
function drawNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}
