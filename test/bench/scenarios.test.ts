import { expect, test } from "bun:test";
import { SCENARIOS, scenariosOn } from "../../bench/scenarios.ts";

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
      if (against) expect(seen, name).toContain(against);
    }
  }
});
