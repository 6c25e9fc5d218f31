import type { Row, Spread } from "./summary.ts";

const GAP = "  ";

const whole = (value: number) => Math.round(value).toLocaleString("en");
const tenths = (value: number) => value.toFixed(1);
const hundredths = (value: number) => value.toFixed(2);
const percent = (value: number) => `${Math.round(value * 100)} %`;

const COLUMNS: readonly {
  head: string;
  of: (row: Row) => Spread | undefined;
  write: (value: number) => string;
  /** Not a result: one figure will do. */
  isCondition?: boolean;
}[] = [
  { head: "requests/s", of: (row) => row.requestsPerSecond, write: whole },
  { head: "p50 µs", of: (row) => row.p50Us, write: whole },
  { head: "p99 µs", of: (row) => row.p99Us, write: whole },
  { head: "p99.9 µs", of: (row) => row.p999Us, write: whole },
  { head: "CPU µs/req", of: (row) => row.cpuUs, write: tenths },
  { head: "of it Redis", of: (row) => row.redisCpuUs, write: tenths },
  { head: "ratio", of: (row) => row.ratio, write: hundredths },
  { head: "generator", of: (row) => row.generatorShare, write: percent, isCondition: true },
  { head: "others", of: (row) => row.othersShare, write: percent, isCondition: true },
];

/** Two lines for each row: medians with the mix of answers, then least and most of the rounds. */
export function writeTable(rows: readonly Row[]): string {
  const head = ["scenario", "conns", ...COLUMNS.map((column) => column.head), "answers"];
  const lines = rows.flatMap((row) => {
    const medians = COLUMNS.map(({ of, write }) => cell(of(row), ({ median }) => write(median)));
    const bounds = COLUMNS.map(({ of, write, isCondition }) =>
      isCondition ? "" : cell(of(row), ({ least, most }) => `${write(least)}–${write(most)}`),
    );
    return [
      [row.scenario, String(row.connections), ...medians, writeAnswers(row.answers)],
      ["", "", ...bounds, ""],
    ];
  });
  const widths = head.map((name, i) =>
    Math.max(name.length, ...lines.map((line) => line[i]!.length)),
  );
  const write = (line: readonly string[]) =>
    line.map((text, i) => align(text, i, widths[i]!)).join(GAP);
  return [head, ...lines].map((line) => `${write(line).trimEnd()}\n`).join("");

  function align(text: string, column: number, width: number): string {
    const isText = column === 0 || column === head.length - 1;
    return isText ? text.padEnd(width) : text.padStart(width);
  }
}

function cell(value: Spread | undefined, write: (value: Spread) => string): string {
  return value === undefined || Number.isNaN(value.median) ? "–" : write(value);
}

const writeAnswers = (answers: Row["answers"]) =>
  answers.map(({ kind, share }) => `${kind} ${(share * 100).toFixed(1)} %`).join(", ");
