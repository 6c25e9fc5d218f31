import { fileURLToPath } from "node:url";
import { type BenchChart, chartsOf } from "./charts.ts";
import type { Results } from "./results.ts";
import type { Row } from "./summary.ts";
import {
  COLUMNS,
  type Column,
  loadOf,
  writeAnswers,
  writeBesides,
  writerOf,
  writeSoaks,
} from "./table.ts";
import type { TargetResult } from "./targets.ts";

const DRAW = fileURLToPath(new URL("./page/draw.ts", import.meta.url));
const STYLE = fileURLToPath(new URL("./page/style.css", import.meta.url));

/** One page that needs nothing but itself: figures, charts and the library that draws them. */
export async function writePage(results: Results): Promise<string> {
  const { date, commit, machine, bun, redis, command, rows, soaks, targets } = results;
  const facts = [
    `${date.slice(0, 16).replace("T", " ")} UTC`,
    `commit ${commit ?? "unknown"}`,
    `Bun ${bun}`,
    `Redis ${redis ?? "none"}`,
    `${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}`,
  ];
  const charts = chartsOf(results);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>bun bench, ${escapeHtml(date.slice(0, 10))}</title>
<style>${await Bun.file(STYLE).text()}</style>
<h1>bun bench</h1>
<p class="facts">${facts.map(escapeHtml).join("<br>")}<br><code>${escapeHtml(command)}</code></p>
<h2>Targets</h2>
${writeTargets(targets)}
<h2>Charts</h2>
<p>Bars are medians of all turns, dark lines their least and most.</p>
<div class="charts">${charts.map(writeChart).join("\n")}</div>
<h2>All rows</h2>
${writeRows(rows)}
<h2>Measured besides</h2>
<ul>${writeLines(`${writeBesides(rows)}${writeSoaks(soaks)}`)}</ul>
<script>const charts = ${JSON.stringify(charts).replaceAll("<", "\\u003c")};</script>
<script>${await bundleDrawing()}</script>
</html>
`;
}

const BAR_PX = 20;
const GROUP_GAP_PX = 8;
const AXES_PX = 70;
const LINES_PX = 320;

/** As high as its bars need. */
function writeChart(chart: BenchChart, index: number): string {
  const heightPx =
    chart.kind === "bars"
      ? chart.labels.length * (chart.series.length * BAR_PX + GROUP_GAP_PX) + AXES_PX
      : LINES_PX;
  return `<figure><figcaption>${escapeHtml(chart.title)}</figcaption>
<div style="height: ${heightPx}px"><canvas id="chart-${index}" role="img"></canvas></div></figure>`;
}

/** @throws AggregateError when the script does not build */
async function bundleDrawing(): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [DRAW],
    target: "browser",
    format: "iife",
    minify: true,
  });
  const code = await outputs[0]!.text();
  return code.replaceAll("</script", "<\\/script");
}

function writeTargets(targets: readonly TargetResult[]): string {
  const head = "<tr><th>target<th>limit<th>stretch<th>measured<th>verdict";
  const lines = targets.map(({ name, limit, stretch, unit, measured, verdict }) => {
    const found = measured ? `${writerOf(unit)(measured.median)} ${unit}` : "–";
    const better = stretch === undefined ? "–" : `${stretch} ${unit}`;
    const cells = [`${limit} ${unit}`, better, found].map((text) => `<td>${escapeHtml(text)}`);
    const state = verdict.replace(" ", "-");
    return `<tr><th>${escapeHtml(name)}${cells.join("")}<td class="${state}">${verdict}`;
  });
  return `<div class="wide"><table>${head}${lines.join("\n")}</table></div>`;
}

function writeRows(rows: readonly Row[]): string {
  const head = [
    "scenario",
    "connections",
    "load",
    ...COLUMNS.map((column) => column.head),
    "answers",
  ];
  const lines = rows.map((row) => {
    const cells = COLUMNS.map((column) => `<td>${writeSpread(row, column)}`);
    const { scenario, connections } = row;
    return (
      `<tr><th>${escapeHtml(scenario)}<td>${connections}<td>${escapeHtml(loadOf(row))}` +
      `${cells.join("")}<td>${escapeHtml(writeAnswers(row.answers))}`
    );
  });
  const heads = head.map((name) => `<th>${name}`).join("");
  return `<div class="wide"><table><tr>${heads}${lines.join("\n")}</table></div>`;
}

function writeSpread(row: Row, { of, write, isCondition }: Column): string {
  const spread = of(row);
  if (!spread || Number.isNaN(spread.median)) return "–";
  const { median, least, most } = spread;
  const bounds = isCondition ? "" : `<small>${write(least)}–${write(most)}</small>`;
  return `${write(median)}${bounds}`;
}

const writeLines = (text: string) =>
  text.replace(/^(.+)\n/gm, (_, line: string) => `<li>${escapeHtml(line)}`);

const escapeHtml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
