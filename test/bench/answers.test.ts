import { expect, test } from "bun:test";
import { type ExpectedAnswers, unexpectedAnswers } from "../../bench/answers.ts";

const AUCTIONS: ExpectedAnswers = { "200": [0.6, 0.9], no_bids: [0.1, 0.4] };

test("a mix of answers within its bounds has no problem", () => {
  const answers = new Map(Object.entries({ "200": 8, no_bids: 2 }));
  expect(unexpectedAnswers(AUCTIONS, answers)).toEqual([]);
});

test("answers that nobody expects, too many and too few are told, each with its share", () => {
  const answers = new Map(Object.entries({ "200": 95, no_bids: 4, overloaded: 1 }));
  expect(unexpectedAnswers(AUCTIONS, answers)).toEqual([
    "95.00 % 200, expected 60 to 90 %",
    "4.00 % no_bids, expected 10 to 40 %",
    "1.00 % overloaded, expected 0 to 0 %",
  ]);
  expect(unexpectedAnswers(AUCTIONS, new Map())).toEqual(["no answers at all"]);
});
