/** FAULTS=long runs the fault tests as long as the README states; else they are short. */
const isLong = process.env.FAULTS === "long";

/** A duration or a number of times, by how long the fault tests may take. */
export const shortOrLong = (short: number, long: number) => (isLong ? long : short);

/** One line for the reader of the test's output: what a scenario cost. */
export function printFigures(scenario: string, figures: Readonly<Record<string, unknown>>): void {
  const words = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  console.log(`  ${scenario}: ${words.join(", ")}`);
}
