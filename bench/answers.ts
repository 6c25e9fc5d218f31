/** Least and most of all answers that may be of a kind, as shares of 1. */
type Share = readonly [least: number, most: number];

/** By `code`, or "200". An answer that is not named here is unexpected. */
export type ExpectedAnswers = Readonly<Record<string, Share>>;

/** With the sample catalog 2 to 30 of 100 auctions find no bid, whatever the supply and country. */
export const AUCTIONS: ExpectedAnswers = { "200": [0.6, 0.98], no_bids: [0.02, 0.4] };
export const REFUSALS: ExpectedAnswers = {
  rate_limited: [0.99, 1],
  "200": [0, 0.01],
  no_bids: [0, 0.01],
};
/**
 * Ten bidders that decline or are late half the time: one auction in a thousand finds no bid, and
 * more where a busy machine makes them later still.
 */
export const WIDE_AUCTIONS: ExpectedAnswers = { "200": [0.9, 1], no_bids: [0, 0.1] };

/** One line for each share of the answers that is not as it should be. */
export function unexpectedAnswers(
  expected: ExpectedAnswers,
  answers: ReadonlyMap<string, number>,
): string[] {
  const total = [...answers.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return ["no answers at all"];
  const kinds = new Set([...Object.keys(expected), ...answers.keys()]);
  return [...kinds].flatMap((kind) => {
    const [least, most] = expected[kind] ?? [0, 0];
    const share = (answers.get(kind) ?? 0) / total;
    if (share >= least && share <= most) return [];
    const got = `${(share * 100).toFixed(2)} % ${kind}`;
    return [`${got}, expected ${least * 100} to ${most * 100} %`];
  });
}
