import { SETTLED_AFTER_SECONDS } from "./memory.ts";
import { REFERENCE } from "./scenario.ts";
import type { Soak } from "./soak.ts";
import { type Row, type Spread, spread } from "./summary.ts";

/** What the service is meant to reach, and what this run has measured. */
export interface TargetResult {
  readonly name: string;
  readonly limit: number;
  /** Better still; none where there is no such figure. */
  readonly stretch: number | undefined;
  readonly unit: "×" | "µs" | "ms" | "%" | "MiB" | "MiB/min";
  /** None: not part of this run. */
  readonly measured: Spread | undefined;
  readonly verdict: "stretch" | "met" | "missed" | "not measured";
}

interface Target {
  readonly name: string;
  readonly limit: number;
  readonly stretch?: number;
  readonly unit: TargetResult["unit"];
  readonly of: (row: FindRow, soaks: readonly Soak[]) => Spread | undefined;
}

/** Finds a row; the load is a closed loop unless it says otherwise. */
type FindRow = (scenario: string, connections?: number, isPaced?: boolean) => Row | undefined;

/** Where the limits in microseconds of CPU were set, the reference cost 24 to 25. */
const REFERENCE_US = 24.5;

/** Of a shorter soak memory.ts counts part of the first minute, too. */
const SOAK_SECONDS_MIN = 2 * SETTLED_AFTER_SECONDS;

const TARGETS: readonly Target[] = [
  {
    name: "distinct clients, Redis, 64 connections: CPU over the reference",
    limit: 1.8,
    stretch: 1.6,
    unit: "×",
    of: (row) => row("distinct-redis", 64)?.ratio,
  },
  {
    name: "distinct clients, Redis, 256 connections: CPU over the reference",
    limit: 1.5,
    stretch: 1.3,
    unit: "×",
    of: (row) => row("distinct-redis", 256)?.ratio,
  },
  {
    name: "distinct clients, embedded: CPU over the reference",
    limit: 1.5,
    stretch: 1.25,
    unit: "×",
    of: (row) => row("distinct-embedded")?.ratio,
  },
  {
    name: "one client over its limit: CPU over the reference",
    limit: 1.08,
    stretch: 1.03,
    unit: "×",
    of: (row) => row("one-client")?.ratio,
  },
  {
    name: "limiter off: CPU over the reference",
    limit: 1.12,
    stretch: 1.05,
    unit: "×",
    of: (row) => row("limiter-off")?.ratio,
  },
  {
    name: `Redis CPU per admitted bid, 256 connections, where the reference costs ${REFERENCE_US} µs`,
    limit: 8,
    stretch: 6,
    unit: "µs",
    of: (row) => scaleTo(REFERENCE_US, row(REFERENCE, 256), row("distinct-redis", 256)?.redisCpuUs),
  },
  {
    name: "p99 at half the peak rate, Redis: over the reference's at half of its own",
    limit: 3,
    stretch: 2,
    unit: "×",
    of: (row) => row("distinct-redis", undefined, true)?.p99OwnRatio,
  },
  {
    name: "p99 at half the peak rate, Redis: over the reference's at that same rate",
    limit: 3,
    stretch: 2,
    unit: "×",
    of: (row) => row("distinct-redis", undefined, true)?.p99Ratio,
  },
  {
    name: "p99 at half the peak rate, embedded: over the reference's at half of its own",
    limit: 3,
    stretch: 2,
    unit: "×",
    of: (row) => row("distinct-embedded", undefined, true)?.p99OwnRatio,
  },
  {
    name: "p99 at half the peak rate, embedded: over the reference's at that same rate",
    limit: 3,
    stretch: 2,
    unit: "×",
    of: (row) => row("distinct-embedded", undefined, true)?.p99Ratio,
  },
  {
    name: "/stat each second at that rate: p99 of /bid over that without",
    limit: 1.2,
    unit: "×",
    of: (row) => row("stat", undefined, true)?.against?.p99,
  },
  {
    name: "/stat itself at that rate, the slowest",
    limit: 10,
    unit: "ms",
    of: (row) => row("stat", undefined, true)?.figures["/stat slowest ms"],
  },
  {
    name: "catalog in a database: CPU over that with a file",
    limit: 1.05,
    unit: "×",
    of: (row) => row("catalog-sqlite")?.against?.cpu,
  },
  {
    name: "large catalog, as many supplies asked: CPU over the small one",
    limit: 1.1,
    unit: "×",
    of: (row) => row("large-catalog")?.against?.cpu,
  },
  {
    name: "large catalog, every supply asked: CPU over the small one",
    limit: 1.1,
    unit: "×",
    of: (row) => row("every-supply")?.against?.cpu,
  },
  {
    name: "reload of the large catalog: longest pause of a worker",
    limit: 50,
    unit: "ms",
    of: (row) => row("large-catalog")?.figures["longest answer during a reload ms"],
  },
  {
    name: "10 bidders over HTTP: CPU per call, auction included, over a bare fetch loop's",
    limit: 1.3,
    unit: "×",
    of: (row) => overFetch(row("http-10-0ms")),
  },
  {
    name: "10 bidders over HTTP, 20 ms: CPU per call, auction included, over a bare fetch loop's",
    limit: 1.3,
    unit: "×",
    of: (row) => overFetch(row("http-10-20ms")),
  },
  {
    name: "10 bidders over HTTP, 20 ms: new connections per 100 calls",
    limit: 1,
    unit: "%",
    of: (row) => row("http-10-20ms")?.figures["new connections per 100 calls"],
  },
  {
    name: "one hung bidder among five: auctions without it over auctions with it",
    limit: 1.11, // 10 % fewer.
    unit: "×",
    of: (row) => invert(row("http-5-hung")?.against?.requestsPerSecond),
  },
  {
    name: "memory of the largest worker after the first minute of the soak, Redis, resident",
    limit: 110,
    unit: "MiB",
    of: (_rows, soaks) => soaks.find(({ scenario }) => scenario === "distinct-redis")?.residentMib,
  },
  {
    // Its workers share the windows, which each of them has resident.
    name: "the same, embedded, shared pages in parts",
    limit: 110,
    unit: "MiB",
    of: (_rows, soaks) => soaks.find(({ scenario }) => scenario === "distinct-embedded")?.workerMib,
  },
  {
    name: "growth of a worker after the first minute of the soak",
    limit: 0.5,
    unit: "MiB/min",
    of: (_rows, soaks) =>
      soaks.length === 0
        ? undefined
        : spread([Math.max(...soaks.map(({ slopeMibPerMinute }) => slopeMibPerMinute))]),
  },
];

/** By medians; growth by the worst soak. Where no connections are named: the first given. */
export function checkTargets(rows: readonly Row[], soaks: readonly Soak[]): TargetResult[] {
  const find: FindRow = (scenario, connections, isPaced = false) =>
    rows.find(
      (row) =>
        row.scenario === scenario &&
        (connections === undefined || row.connections === connections) &&
        (row.pacedBy !== undefined) === isPaced,
    );
  const settled = soaks.filter(({ seconds }) => seconds >= SOAK_SECONDS_MIN);
  return TARGETS.map(({ name, limit, stretch, unit, of }) => {
    const measured = of(find, settled);
    return { name, limit, stretch, unit, measured, verdict: judge(measured, limit, stretch) };
  });
}

function judge(
  measured: Spread | undefined,
  limit: number,
  stretch: number | undefined,
): TargetResult["verdict"] {
  if (!measured || Number.isNaN(measured.median)) return "not measured";
  if (measured.median > limit) return "missed";
  return stretch !== undefined && measured.median <= stretch ? "stretch" : "met";
}

/** As on a machine whose reference costs so much: microseconds are the machine's. */
function scaleTo(us: number, reference: Row | undefined, spread: Spread | undefined) {
  return reference && spread && divide(spread, reference.cpuUs.median / us);
}

/** By medians, since the loops ran after the load of the same round. */
function overFetch(row: Row | undefined): Spread | undefined {
  const call = row?.figures["CPU µs per bidder call"];
  const loop = row?.figures["CPU µs per call of a bare fetch loop"];
  return call && loop && divide(call, loop.median);
}

const divide = ({ median, least, most }: Spread, by: number): Spread => ({
  median: median / by,
  least: least / by,
  most: most / by,
});

function invert(spread: Spread | undefined): Spread | undefined {
  return spread && { median: 1 / spread.median, least: 1 / spread.most, most: 1 / spread.least };
}
