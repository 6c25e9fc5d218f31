import { expect, test } from "bun:test";
import type { Sample } from "../../bench/measure.ts";
import type { Scenario } from "../../bench/scenario.ts";
import { summarize } from "../../bench/summary.ts";
import type { Variant } from "../../bench/variants.ts";

const sample = (cpuUs: number, p99Us = 1) =>
  ({ cpuUs, p99Us, requestsPerSecond: 1, answers: new Map(), figures: {} }) as unknown as Sample;

const variant = (scenario: Partial<Scenario>, samples: Partial<Variant>) =>
  ({
    scenario,
    connections: 64,
    pacedBy: undefined,
    samples: [],
    references: [],
    ownReferences: [],
    alone: [],
    ...samples,
  }) as Variant;

test("a ratio is that of a sample and the reference in the same turn", () => {
  const references = [sample(10), sample(40)];
  const all = [sample(5), ...references];
  const [reference, row] = summarize([
    variant({ name: "reference" }, { samples: all, references: all }),
    variant({ name: "one-client" }, { samples: [sample(20), sample(60)], references }),
  ]);
  expect(row!.ratio).toEqual({ median: 1.75, least: 1.5, most: 2 });
  // Its row has every sample, those beside others too.
  expect(reference!.cpuUs.median).toBe(10);
  expect(reference!.ratio).toEqual({ median: 1, least: 1, most: 1 });
});

test("without the reference there are no ratios", () => {
  const [row] = summarize([variant({ name: "one-client" }, { samples: [sample(20)] })]);
  expect(row!.ratio).toBeUndefined();
});

test("what runs beside a scenario is judged by the same processes without it", () => {
  const [row] = summarize([
    variant(
      { name: "stat", isAgainstItself: true },
      { samples: [sample(20, 30), sample(20, 90)], alone: [sample(10, 10), sample(20, 45)] },
    ),
  ]);
  expect(row!.against).toMatchObject({
    scenario: "itself alone",
    cpu: { median: 1.5 },
    p99: { median: 2.5 },
  });
});

test("a scenario that varies another one is compared with it turn by turn", () => {
  const rows = summarize([
    variant({ name: "plain" }, { samples: [sample(10), sample(20)] }),
    variant({ name: "varied", against: "plain" }, { samples: [sample(20), sample(20)] }),
  ]);
  expect(rows[1]!.against).toMatchObject({ scenario: "plain", cpu: { least: 1, most: 2 } });
});

test("over another scenario, CPU is compared by the ratios to the reference", () => {
  const rows = summarize([
    variant({ name: "plain" }, { samples: [sample(10)], references: [sample(5)] }),
    variant(
      { name: "varied", against: "plain" },
      { samples: [sample(60, 3)], references: [sample(10, 9)] },
    ),
  ]);
  expect(rows[1]!.against).toMatchObject({ cpu: { median: 3 }, p99: { median: 3 } });
});

test("at a fixed rate the 99th percentile is told over the reference's at half of its own peak, too", () => {
  const [row] = summarize([
    variant(
      { name: "plain" },
      {
        pacedBy: "plain",
        samples: [sample(1, 12)],
        references: [sample(1, 4)],
        ownReferences: [sample(1, 6)],
      },
    ),
  ]);
  expect([row!.p99Ratio!.median, row!.p99OwnRatio!.median]).toEqual([3, 2]);
});
