import Chart, { type Plugin } from "chart.js/auto";
import type { BarChart, BenchChart, LineChart } from "../charts.ts";

/* Runs in the browser: draws each chart into the canvas that page.ts has made for it. */
declare const charts: readonly BenchChart[];

const INK = "#1d2733";
const WHISKER_PX = 4;

Chart.defaults.font.family = "system-ui, sans-serif";
Chart.defaults.color = INK;
Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;

charts.forEach((chart, i) => {
  const id = `chart-${i}`;
  if (chart.kind === "bars") drawBars(id, chart);
  else drawLines(id, chart);
});

function drawBars(id: string, { labels, isLogarithmic, series }: BarChart): void {
  const mosts = series.flatMap((part) => part.spreads.map((spread) => spread?.most ?? 0));
  const scale = isLogarithmic
    ? ({ type: "logarithmic" } as const)
    : ({ type: "linear", beginAtZero: true } as const);
  new Chart(id, {
    type: "bar",
    data: {
      labels: [...labels],
      datasets: series.map(({ label, colour, spreads }) => ({
        label,
        data: spreads.map((spread) => spread?.median ?? null),
        backgroundColor: colour,
      })),
    },
    options: {
      indexAxis: "y",
      scales: {
        x: { ...scale, suggestedMax: Math.max(...mosts), ticks: { maxRotation: 0 } },
        y: { ticks: { autoSkip: false } },
      },
      plugins: {
        legend: { display: series.length > 1, position: "bottom" },
        tooltip: {
          callbacks: {
            label: ({ datasetIndex, dataIndex }) => {
              const { label, spreads } = series[datasetIndex]!;
              const { median, least, most } = spreads[dataIndex]!;
              return `${label}: ${write(median)} (${write(least)}–${write(most)})`;
            },
          },
        },
      },
    },
    plugins: [whiskers(series)],
  });
}

/** A line over each bar, from the least to the most of the turns. */
function whiskers(series: BarChart["series"]): Plugin<"bar"> {
  return {
    id: "whiskers",
    afterDatasetsDraw(chart) {
      const { ctx, scales } = chart;
      ctx.save();
      ctx.strokeStyle = INK;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      series.forEach(({ spreads }, at) => {
        chart.getDatasetMeta(at).data.forEach(({ y }, place) => {
          const spread = spreads[place];
          if (!spread) return;
          const ends = [spread.least, spread.most].map((v) => scales.x!.getPixelForValue(v));
          ctx.moveTo(ends[0]!, y);
          ctx.lineTo(ends[1]!, y);
          for (const x of ends) {
            ctx.moveTo(x, y - WHISKER_PX);
            ctx.lineTo(x, y + WHISKER_PX);
          }
        });
      });
      ctx.stroke();
      ctx.restore();
    },
  };
}

function drawLines(id: string, { series }: LineChart): void {
  new Chart(id, {
    type: "line",
    data: {
      datasets: series.map(({ label, colour, points }) => ({
        label,
        data: points,
        borderColor: colour,
        backgroundColor: colour,
        borderWidth: 1.5,
        pointRadius: 0,
      })),
    },
    options: {
      scales: {
        x: { type: "linear", title: { display: true, text: "seconds" } },
        y: { beginAtZero: true, title: { display: true, text: "MiB" } },
      },
      plugins: { legend: { position: "bottom" } },
    },
  });
}

const write = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 2 });
