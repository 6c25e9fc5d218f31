import { MICROS } from "../auction/clearing.ts";

/** Nearer to a half than this, the error of a product could round it to the wrong side. */
const NEAR = 1e-3;

/**
 * A price as a JSON number in integer micros, a half rounded to the even neighbour. What counts is
 * the shortest decimal of the number, which is what was written if it had up to 15 digits.
 * @param price  0 to 4,000
 */
export function toMicros(price: number): number {
  const product = price * MICROS;
  const whole = Math.floor(product);
  const rest = product - whole;
  if (Math.abs(rest - 0.5) > NEAR) return rest < 0.5 ? whole : whole + 1;
  return roundDecimal(price);
}

/** The exact way, digit by digit: slow, and rarely needed. */
function roundDecimal(price: number): number {
  const [coefficient, exponent = "0"] = String(price).split("e") as [string, string?];
  const [whole, fraction = ""] = coefficient.split(".") as [string, string?];
  // Digits before the point once it has moved six places to the right, and the exponent's.
  const places = whole.length + Number(exponent) + 6;
  const digits = (whole + fraction).padEnd(places, "0");
  const micros = places > 0 ? Number(digits.slice(0, places)) : 0;
  const rest = places < 0 ? "0" : digits.slice(places);
  if (!/^[5-9]/.test(rest)) return micros;
  const isHalf = /^50*$/.test(rest);
  return isHalf && micros % 2 === 0 ? micros : micros + 1;
}
