import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toMicros } from "../../src/bidders/price.ts";

/** The same, in whole numbers: micros of `digits` x 10^-decimals, a half to the even neighbour. */
function exactMicros(digits: bigint, decimals: number): number {
  if (decimals <= 6) return Number(digits * 10n ** BigInt(6 - decimals));
  const unit = 10n ** BigInt(decimals - 6);
  const floor = digits / unit;
  const twice = (digits % unit) * 2n;
  const isUp = twice > unit || (twice === unit && floor % 2n === 1n);
  return Number(isUp ? floor + 1n : floor);
}

describe("price in micros", () => {
  test.each([
    [0.5, 500_000],
    [0.01, 10_000],
    [0.07, 70_000],
    [1.005, 1_005_000],
    [4000, 4_000_000_000],
    [0.1234565000000001, 123_457],
    [1e-7, 0],
    [0.0000005, 0],
    [0.0000015, 2],
    [0.0000025, 2],
    [1.0000005, 1_000_000],
    [1.0000015, 1_000_002],
    [123.4567895, 123_456_790],
    [0.00000050000001, 1],
    [9.9999995, 10_000_000],
  ])("of %p is %p", (price, micros) => {
    expect(toMicros(price)).toBe(micros);
  });

  test("is the decimal that was written, rounded once, a half to the even neighbour", () => {
    const digits = fc.bigInt({ min: 1n, max: 10n ** 15n - 1n });
    fc.assert(
      fc.property(digits, fc.integer({ min: 0, max: 20 }), (written, decimals) => {
        const price = JSON.parse(`${written}e-${decimals}`) as number;
        fc.pre(price <= 4000);
        expect(toMicros(price)).toBe(exactMicros(written, decimals));
      }),
      { numRuns: 2_000 },
    );
  });

  test("rounds every half of a micro to the even neighbour", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 - 1 }), (micros) => {
        const price = JSON.parse(`${micros * 10 + 5}e-7`) as number;
        expect(toMicros(price)).toBe(micros % 2 === 0 ? micros : micros + 1);
      }),
      { numRuns: 2_000 },
    );
  });
});
