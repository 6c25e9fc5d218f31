import type { Results } from "./results.ts";
import type { Row, Spread } from "./summary.ts";

/** Lying bars, one group for each label. */
export interface BarChart {
  readonly kind: "bars";
  readonly title: string;
  readonly labels: readonly string[];
  readonly isLogarithmic: boolean;
  readonly series: readonly { label: string; colour: string; spreads: (Spread | null)[] }[];
}

/** Lines over time. */
export interface LineChart {
  readonly kind: "lines";
  readonly title: string;
  readonly series: readonly { label: string; colour: string; points: { x: number; y: number }[] }[];
}

export type BenchChart = BarChart | LineChart;

const BLUE = "#3a6ea5";
const GREY = "#9aa5b1";
const ORANGE = "#d9822b";
const RED = "#b3423a";
const COLOURS = [BLUE, ORANGE, RED, GREY];

/** What is worth a picture; charts without figures are left out. */
export function chartsOf({ plan, rows, soaks }: Results): BenchChart[] {
  const charts = plan.connections.flatMap((connections) =>
    barChartsOf(
      connections,
      rows.filter((row) => row.connections === connections),
    ),
  );
  const shown: BenchChart[] = charts.filter(({ labels }) => labels.length > 0);
  if (soaks.length > 0) {
    shown.push({
      kind: "lines",
      title: "Memory of the largest worker under load: MiB over seconds",
      series: soaks.map(({ scenario, curve }, i) => ({
        label: scenario,
        colour: COLOURS[i % COLOURS.length]!,
        points: curve.map(({ seconds, mib }) => ({ x: seconds, y: mib })),
      })),
    });
  }
  return shown;
}

function barChartsOf(connections: number, rows: readonly Row[]): BarChart[] {
  const paced = rows.filter(({ pacedBy }) => pacedBy !== undefined);
  const closed = rows.filter(({ pacedBy }) => pacedBy === undefined);
  const scaling = closed.filter(({ scenario }) => scenario.startsWith("workers-"));
  const main = closed.filter((row) => !scaling.includes(row));
  const where = `${connections} connections`;
  const cpu: Series = ["all processes", BLUE, ({ cpuUs }) => cpuUs];
  const redis: Series = ["of it Redis", ORANGE, ({ redisCpuUs }) => redisCpuUs];
  const rate: Series = ["requests/s", BLUE, ({ requestsPerSecond }) => requestsPerSecond];
  return [
    bars(
      `CPU per request over the reference, × (${where})`,
      main.filter(({ ratio }) => ratio),
      [["ratio", BLUE, ({ ratio }) => ratio]],
    ),
    bars(`CPU per request, µs (${where})`, main, [cpu, redis]),
    bars(`Requests per second, closed loop (${where})`, main, [rate]),
    {
      ...bars(`Latency at half the peak rate, µs (${where}, logarithmic)`, paced, [
        ["p50", GREY, ({ p50Us }) => p50Us],
        ["p99", BLUE, ({ p99Us }) => p99Us],
        ["p99.9", ORANGE, ({ p999Us }) => p999Us],
      ]),
      isLogarithmic: true,
    },
    bars(`Workers: requests per second, closed loop (${where})`, scaling, [rate]),
    bars(`Workers: CPU per request, µs (${where})`, scaling, [cpu, redis]),
  ];
}

type Series = [label: string, colour: string, of: (row: Row) => Spread | undefined];

function bars(title: string, rows: readonly Row[], series: readonly Series[]): BarChart {
  return {
    kind: "bars",
    title,
    labels: rows.map(({ scenario, pacedBy }) =>
      pacedBy && pacedBy !== scenario ? `${scenario}, as ${pacedBy}` : scenario,
    ),
    isLogarithmic: false,
    series: series.map(([label, colour, of]) => ({
      label,
      colour,
      spreads: rows.map((row) => of(row) ?? null),
    })),
  };
}
