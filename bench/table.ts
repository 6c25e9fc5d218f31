import type { Difference } from "./baseline.ts";
import type { Soak } from "./soak.ts";
import type { Row, Spread } from "./summary.ts";
import type { TargetResult } from "./targets.ts";

const GAP = "  ";

const whole = (value: number) => Math.round(value).toLocaleString("en");
const tenths = (value: number) => value.toFixed(1);
const hundredths = (value: number) => value.toFixed(2);
const percent = (value: number) => `${Math.round(value * 100)} %`;

/** A figure of each row. */
export interface Column {
  readonly head: string;
  readonly of: (row: Row) => Spread | undefined;
  readonly write: (value: number) => string;
  /** Not a result: one figure will do. */
  readonly isCondition?: boolean;
}

export const COLUMNS: readonly Column[] = [
  { head: "requests/s", of: (row) => row.requestsPerSecond, write: whole },
  { head: "p50 µs", of: (row) => row.p50Us, write: whole },
  { head: "p99 µs", of: (row) => row.p99Us, write: whole },
  { head: "p99.9 µs", of: (row) => row.p999Us, write: whole },
  { head: "CPU µs/req", of: (row) => row.cpuUs, write: tenths },
  { head: "of it Redis", of: (row) => row.redisCpuUs, write: tenths },
  { head: "ratio", of: (row) => row.ratio, write: hundredths },
  { head: "MiB", of: (row) => row.workerMib, write: whole },
  { head: "generator", of: (row) => row.generatorShare, write: percent, isCondition: true },
  { head: "late µs", of: (row) => row.lateUs, write: whole, isCondition: true },
  { head: "others", of: (row) => row.othersShare, write: percent, isCondition: true },
];

export const loadOf = ({ pacedBy }: Row) => (pacedBy ? `half ${pacedBy}` : "closed");

/** Writes a figure of this unit, without the unit. */
export const writerOf = (unit: TargetResult["unit"]) => (unit === "ms" ? tenths : hundredths);

/** Two lines for each row: medians with the mix of answers, then least and most of the turns. */
export function writeTable(rows: readonly Row[]): string {
  const head = ["scenario", "conns", "load", ...COLUMNS.map((column) => column.head), "answers"];
  const lines = rows.flatMap((row) => {
    const medians = COLUMNS.map(({ of, write }) => cell(of(row), ({ median }) => write(median)));
    const bounds = COLUMNS.map(({ of, write, isCondition }) =>
      isCondition ? "" : cell(of(row), ({ least, most }) => `${write(least)}–${write(most)}`),
    );
    const { scenario, connections, answers } = row;
    return [
      [scenario, String(connections), loadOf(row), ...medians, writeAnswers(answers)],
      ["", "", "", ...bounds, ""],
    ];
  });
  return align([head, ...lines], ["scenario", "load", "answers"]);
}

/** What scenarios measure besides, and how they compare with the one that they vary. */
export function writeBesides(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) => {
    const parts = Object.entries(row.figures).map(
      ([name, spread]) => `${name} ${inOneLine(spread, tenths)}`,
    );
    if (row.against) {
      const { scenario, requestsPerSecond, cpu, p99 } = row.against;
      parts.push(`over ${scenario}: requests/s ${inOneLine(requestsPerSecond, hundredths)}`);
      parts.push(`CPU ${inOneLine(cpu, hundredths)}`, `p99 ${inOneLine(p99, hundredths)}`);
    }
    if (parts.length === 0) return [];
    return [`${row.scenario}, ${row.connections}, ${loadOf(row)}: ${parts.join(", ")}\n`];
  });
  return lines.join("");
}

export function writeTargets(results: readonly TargetResult[]): string {
  const head = ["target", "limit", "stretch", "measured", "verdict"];
  const lines = results.map(({ name, limit, stretch, unit, measured, verdict }) => [
    name,
    `${limit} ${unit}`,
    stretch === undefined ? "–" : `${stretch} ${unit}`,
    cell(measured, (spread) => inOneLine(spread, writerOf(unit))),
    verdict,
  ]);
  return align([head, ...lines], ["target", "verdict"]);
}

export function writeSoaks(soaks: readonly Soak[]): string {
  return soaks
    .map(
      ({ scenario, seconds, requests, workerMib, residentMib, slopeMibPerMinute }) =>
        `${scenario}, ${seconds} s, ${whole(requests)} requests: largest worker ` +
        `${inOneLine(workerMib, tenths)} MiB, growth ${hundredths(slopeMibPerMinute)} MiB/min; ` +
        `resident, shared pages whole, ${inOneLine(residentMib, tenths)} MiB\n`,
    )
    .join("");
}

export function writeDifferences(differences: readonly Difference[]): string {
  const head = ["ratio to the reference", "conns", "baseline", "now", "difference"];
  const lines = differences.map(({ scenario, connections, before, now, percent }) => [
    scenario,
    String(connections),
    hundredths(before),
    hundredths(now),
    `${percent < 0 ? "" : "+"}${tenths(percent)} %`,
  ]);
  return align([head, ...lines], ["ratio to the reference"]);
}

/** Columns that are text lean to the left, figures to the right. */
function align(lines: readonly (readonly string[])[], textColumns: readonly string[]): string {
  const head = lines[0]!;
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const place = (text: string, i: number) =>
    textColumns.includes(head[i]!) ? text.padEnd(widths[i]!) : text.padStart(widths[i]!);
  return lines.map((line) => `${line.map(place).join(GAP).trimEnd()}\n`).join("");
}

function cell(value: Spread | undefined, write: (value: Spread) => string): string {
  return value === undefined || Number.isNaN(value.median) ? "–" : write(value);
}

const inOneLine = ({ median, least, most }: Spread, write: (value: number) => string) =>
  `${write(median)} (${write(least)}–${write(most)})`;

export const writeAnswers = (answers: Row["answers"]) =>
  answers.map(({ kind, share }) => `${kind} ${(share * 100).toFixed(1)} %`).join(", ");
