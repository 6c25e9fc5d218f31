import { expect, test } from "bun:test";
import { COUNTRY_COUNT, countryCode, countryNumber } from "../../src/catalog/country.ts";

test("every two-letter code has a number of its own below the count, and comes back from it", () => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".split("");
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  const numbers = codes.map(countryNumber);
  expect(numbers).toEqual(Array.from({ length: COUNTRY_COUNT }, (_, i) => i));
  expect(numbers.map(countryCode)).toEqual(codes);
});
