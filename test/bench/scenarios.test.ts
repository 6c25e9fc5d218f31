import { expect, test } from "bun:test";
import { SCENARIOS, type Scenario, scenariosOn, unexpectedAnswers } from "../../bench/scenarios.ts";

const auctions: Scenario = {
  name: "auctions",
  about: "",
  clients: "distinct",
  answers: { "200": [0.6, 0.9], no_bids: [0.1, 0.4] },
};

test("a mix of answers within its bounds has no problem", () => {
  expect(unexpectedAnswers(auctions, new Map(Object.entries({ "200": 8, no_bids: 2 })))).toEqual(
    [],
  );
});

test("answers that nobody expects, too many and too few are told, each with its share", () => {
  const answers = new Map(Object.entries({ "200": 95, no_bids: 4, overloaded: 1 }));
  expect(unexpectedAnswers(auctions, answers)).toEqual([
    "95.00 % 200, expected 60 to 90 %",
    "4.00 % no_bids, expected 10 to 40 %",
    "1.00 % overloaded, expected 0 to 0 %",
  ]);
  expect(unexpectedAnswers(auctions, new Map())).toEqual(["no answers at all"]);
});

test("a store can be chosen, or both in turn", () => {
  const named = (choice: Parameters<typeof scenariosOn>[0]) =>
    scenariosOn(choice).map(({ name }) => name);
  expect(named(undefined)).toEqual(SCENARIOS.map(({ name }) => name));
  const exchanges = (choice: Parameters<typeof scenariosOn>[0]) =>
    scenariosOn(choice).flatMap(({ exchange }) => exchange?.store ?? []);
  expect(new Set(exchanges("redis"))).toEqual(new Set(["redis"]));
  expect(new Set(exchanges("embedded"))).toEqual(new Set(["embedded"]));
  expect(named("both")).toEqual(expect.arrayContaining(["one-client-redis", "one-client"]));
  expect(new Set(named("both")).size).toBe(named("both").length);
});

test("what a scenario refers to is measured before it", () => {
  for (const choice of [undefined, "redis", "embedded", "both"] as const) {
    const seen = new Set<string>();
    for (const { name, pacedBy, against } of scenariosOn(choice)) {
      seen.add(name);
      if (pacedBy) expect(seen, name).toContain(pacedBy);
      if (against && choice) expect(seen, name).toContain(against);
    }
  }
});
