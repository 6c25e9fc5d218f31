/** Least and most of all answers that may be of a kind, as shares of 1. */
type Share = readonly [least: number, most: number];

export interface Scenario {
  readonly name: string;
  /** The question that it answers. */
  readonly about: string;
  /** None: the reference route. Else a copy of the service with these settings. */
  readonly exchange?: {
    readonly usesRedis: boolean;
    readonly settings: Readonly<Record<string, string>>;
  };
  /** Each request from an address never seen before, or all from one. */
  readonly clients: "distinct" | "one";
  /** By `code`, or "200". An answer that is not named here is unexpected. */
  readonly answers: Readonly<Record<string, Share>>;
}

/** With the sample catalog 2 to 30 of 100 auctions find no bid, whatever the supply and country. */
const AUCTIONS: Scenario["answers"] = { "200": [0.6, 0.98], no_bids: [0.02, 0.4] };

export const REFERENCE = "reference";

export const SCENARIOS: readonly Scenario[] = [
  {
    name: REFERENCE,
    about: "the same route on plain Elysia, same schemas, static answer",
    clients: "distinct",
    answers: { "200": [1, 1] },
  },
  {
    name: "distinct-redis",
    about: "every client new and admitted, Redis",
    exchange: { usesRedis: true, settings: {} },
    clients: "distinct",
    answers: AUCTIONS,
  },
  {
    name: "distinct-embedded",
    about: "every client new and admitted, embedded store",
    exchange: { usesRedis: false, settings: {} },
    clients: "distinct",
    answers: AUCTIONS,
  },
  {
    name: "one-client",
    about: "one client far over its limit, embedded store",
    exchange: { usesRedis: false, settings: {} },
    clients: "one",
    answers: { rate_limited: [0.99, 1], "200": [0, 0.01], no_bids: [0, 0.01] },
  },
  {
    name: "limiter-off",
    about: "auctions without the limiter, embedded store",
    exchange: { usesRedis: false, settings: { RATE_LIMIT_MAX_REQUESTS: "0" } },
    clients: "distinct",
    answers: AUCTIONS,
  },
];

/** One line for each share of the answers that is not as it should be. */
export function unexpectedAnswers(
  { answers: expected }: Scenario,
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
