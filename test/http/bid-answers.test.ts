import { describe, expect, test } from "bun:test";
import { createBidAnswers } from "../../src/http/bid-answers.ts";

const answers = createBidAnswers({ max: 3, windowMs: 60_000 });
const verdict = (isAdmitted: boolean, remaining: number, resetMs: number) => ({
  isAdmitted,
  remaining,
  resetMs,
});
const headersOf = ({ headers }: Response) => Object.fromEntries(headers);

describe("bid answers", () => {
  test("do not change once they are made, whatever is answered after them", () => {
    const first = answers.rateLimited("one", verdict(false, 0, 41_000));
    const second = answers.won({ requestId: "two", verdict: verdict(true, 2, 60_000) }, "b", 1);
    const before = [headersOf(first), headersOf(second)];
    answers.rateLimited("three", verdict(false, 0, 7_000));
    answers.won({ requestId: "four", verdict: verdict(true, 1, 5_000) }, "b", 1);
    expect([headersOf(first), headersOf(second)]).toEqual(before);
    expect(before).toMatchObject([
      { "x-request-id": "one", "retry-after": "41", ratelimit: '"ip";r=0;t=41' },
      { "x-request-id": "two", ratelimit: '"ip";r=2;t=60', "ratelimit-policy": '"ip";q=3;w=60' },
    ]);
  });

  test("show no quota before the limiter has answered, also after one that did", () => {
    answers.problem("no_bids", { requestId: "one", verdict: verdict(true, 1, 1) }, "Nobody.");
    const plain = answers.problem("no_bids", { requestId: "two", verdict: undefined }, "Nobody.");
    expect(Object.keys(headersOf(plain)).filter((name) => name.startsWith("rate"))).toEqual([]);
  });
});
