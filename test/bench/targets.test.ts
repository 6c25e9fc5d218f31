import { expect, test } from "bun:test";
import type { Row } from "../../bench/summary.ts";
import { checkTargets } from "../../bench/targets.ts";

const spread = (median: number) => ({ median, least: median / 2, most: median * 2 });

/** Only what the targets look at. */
const row = (fields: Partial<Row>) => ({ connections: 64, pacedBy: undefined, ...fields }) as Row;

const verdictOf = (name: string, rows: Row[]) =>
  checkTargets(rows, []).find((target) => target.name.startsWith(name))!.verdict;

test("the median decides between stretch, met and missed", () => {
  const verdict = (ratio: number) =>
    verdictOf("one client", [row({ scenario: "one-client", ratio: spread(ratio) })]);
  expect([1.03, 1.04, 1.08, 1.09].map(verdict)).toEqual(["stretch", "met", "met", "missed"]);
});

test("what was not part of the run is not judged", () => {
  const verdicts = new Set(checkTargets([], []).map(({ verdict }) => verdict));
  expect([...verdicts]).toEqual(["not measured"]);
});

test("a target for some number of connections looks at no other row", () => {
  const rows = [row({ scenario: "distinct-redis", connections: 8, ratio: spread(1) })];
  expect(verdictOf("distinct clients, Redis, 64", rows)).toBe("not measured");
});

test("latency is judged at the fixed rate alone", () => {
  const closed = row({ scenario: "distinct-redis", p99OwnRatio: spread(1) });
  const paced = row({ ...closed, pacedBy: "distinct-redis", p99OwnRatio: spread(4) });
  expect(verdictOf("p99 at half the peak rate, Redis", [closed])).toBe("not measured");
  expect(verdictOf("p99 at half the peak rate, Redis", [closed, paced])).toBe("missed");
});

test("microseconds of CPU are judged as on the machine that their limit was set on", () => {
  const verdict = (referenceUs: number, redisUs: number) =>
    verdictOf("Redis CPU", [
      row({ scenario: "reference", connections: 256, cpuUs: spread(referenceUs) }),
      row({ scenario: "distinct-redis", connections: 256, redisCpuUs: spread(redisUs) }),
    ]);
  expect(verdict(24.5, 7.9)).toBe("met");
  expect(verdict(49, 15.8)).toBe("met");
  expect(verdict(12.25, 4.1)).toBe("missed");
});

test("memory is judged with shared pages whole on Redis, in parts where workers share the windows", () => {
  const soak = { requests: 1, curve: [], slopeMibPerMinute: 0 };
  const of = (redis: number, embedded: number, seconds = 600) =>
    checkTargets(
      [],
      [
        {
          ...soak,
          seconds,
          scenario: "distinct-redis",
          residentMib: spread(redis),
          workerMib: spread(1),
        },
        {
          ...soak,
          seconds,
          scenario: "distinct-embedded",
          residentMib: spread(170),
          workerMib: spread(embedded),
          slopeMibPerMinute: 0.6,
        },
      ],
    )
      .filter(({ verdict }) => verdict !== "not measured")
      .map(({ verdict }) => verdict);
  expect(of(105, 90)).toEqual(["met", "met", "missed"]); // It grows.
  expect(of(120, 120)).toEqual(["missed", "missed", "missed"]);
  expect(of(120, 120, 119)).toEqual([]); // Nothing comes after its first minute.
});
