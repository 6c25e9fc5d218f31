import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createRandom, createSampler, isOrdered } from "../../src/sandbox/distribution.ts";

const DRAWS = 20_000;

function draw(distribution: Parameters<typeof createSampler>[0], stepsPerUnit = 100): number[] {
  const random = createRandom("bidder", 1);
  const sample = createSampler(distribution, stepsPerUnit, 1_000_000);
  return Array.from({ length: DRAWS }, () => sample(random)).sort((a, b) => a - b);
}

describe("random numbers", () => {
  test("are the same for the same name and seed, and others for another of either", () => {
    const first = (name: string, seed: number) => {
      const random = createRandom(name, seed);
      return Array.from({ length: 8 }, random);
    };
    expect(first("a", 1)).toEqual(first("a", 1));
    expect(first("a", 1)).not.toEqual(first("b", 1));
    expect(first("a", 1)).not.toEqual(first("a", 2));
  });

  test("stay those of earlier versions", () => {
    const random = createRandom("swift", 1);
    expect(Array.from({ length: 3 }, () => random().toFixed(6))).toMatchInlineSnapshot(`
      [
        "0.648692",
        "0.551791",
        "0.408676",
      ]
    `);
  });

  test("fill [0, 1) evenly", () => {
    const random = createRandom("even", 7);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < DRAWS; i++) tenths[Math.floor(random() * 10)]!++;
    // Five standard deviations of a binomial one, and always the same draws.
    const deviation = Math.sqrt(DRAWS * 0.1 * 0.9);
    for (const count of tenths) expect(Math.abs(count - DRAWS / 10)).toBeLessThan(5 * deviation);
  });
});

describe("a constant", () => {
  test("is always itself, in whole steps", () => {
    expect(new Set(draw(0.29))).toEqual(new Set([29]));
    expect(new Set(draw(7, 1))).toEqual(new Set([7]));
  });
});

describe("a range", () => {
  test("draws both its ends and everything between equally often", () => {
    const counts = new Map<number, number>();
    for (const steps of draw({ min: 0.01, max: 0.05 })) {
      counts.set(steps, (counts.get(steps) ?? 0) + 1);
    }
    expect([...counts.keys()]).toEqual([1, 2, 3, 4, 5]);
    const deviation = Math.sqrt(DRAWS * 0.2 * 0.8);
    for (const count of counts.values()) {
      expect(Math.abs(count - DRAWS / 5)).toBeLessThan(5 * deviation);
    }
  });

  test("never leaves its ends, whatever they are", () => {
    const cents = fc.integer({ min: 1, max: 400_000 });
    fc.assert(
      fc.property(cents, cents, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (a, b, seed) => {
        const [min, max] = [Math.min(a, b) / 100, Math.max(a, b) / 100];
        const sample = createSampler({ min, max }, 100, 400_000);
        const random = createRandom("bidder", seed);
        for (let i = 0; i < 20; i++) {
          const steps = sample(random);
          expect(Number.isInteger(steps)).toBe(true);
          expect(steps).toBeWithin(Math.min(a, b), Math.max(a, b) + 1);
        }
      }),
    );
  });
});

describe("a median with a 99th percentile", () => {
  test("has them", () => {
    const drawn = draw({ median: 120, p99: 400 }, 1);
    expect(Math.abs(drawn[DRAWS / 2]! - 120)).toBeLessThan(4);
    expect(Math.abs(drawn[DRAWS * 0.99]! - 400)).toBeLessThan(25);
  });

  test("is whole steps, at least one, and ends where it is told to", () => {
    const random = createRandom("bidder", 1);
    const sample = createSampler({ median: 0.01, p99: 1_000 }, 100, 250);
    const drawn = Array.from({ length: DRAWS }, () => sample(random));
    expect(drawn.every(Number.isInteger)).toBe(true);
    expect(Math.min(...drawn)).toBe(1);
    expect(Math.max(...drawn)).toBe(250);
  });
});

test("a distribution is ordered when its lower figure is the lower one", () => {
  expect([{ min: 1, max: 2 }, { min: 2, max: 2 }, { median: 1, p99: 2 }, 3].map(isOrdered)).toEqual(
    [true, true, true, true],
  );
  expect(
    [
      { min: 2, max: 1 },
      { median: 2, p99: 1 },
    ].map(isOrdered),
  ).toEqual([false, false]);
});
