import { Command, InvalidArgumentError, Option } from "commander";
import { createChildren } from "./children.ts";
import { createCpuClock } from "./cpu.ts";
import { describeRun } from "./results.ts";
import { type Plan, runRounds } from "./rounds.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { summarize } from "./summary.ts";
import { writeTable } from "./table.ts";
import { hasRedis } from "./target.ts";

/** Processes of the service and of the reference. */
const WORKERS = 3;
const CONNECTIONS = 64;
const EXIT_UNEXPECTED = 1;
const EXIT_INTERRUPTED = 130;

interface Options {
  scenario?: string[];
  connections?: number[];
  duration: number;
  rounds: number;
  quiet?: number;
  json?: string;
}

const names = SCENARIOS.map(({ name }) => name);
const program = new Command("bench")
  .description("Load-tests copies of the service that it starts itself, and prints a table.")
  .addOption(
    new Option("--scenario <name>", "run only this one; may be repeated").argParser(collectName),
  )
  .addOption(
    new Option(
      "--connections <n>",
      `open connections; may be repeated (default: ${CONNECTIONS})`,
    ).argParser(collectNumber),
  )
  .option("--duration <seconds>", "length of one measurement", readNumber, 5)
  .option("--rounds <n>", "measurements of each scenario", readNumber, 3)
  .option("--quiet <percent>", "repeat while others use more of a core than this", readNumber)
  .option("--json <file>", "write all figures to this file")
  .addHelpText("after", () => {
    const lines = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`);
    return `\nScenarios:\n${lines.join("\n")}\n`;
  })
  .showHelpAfterError()
  .parse();

process.exitCode = await bench(program.opts<Options>());

/** @returns the exit status */
async function bench({ json, ...options }: Options): Promise<number> {
  const plan: Plan = {
    scenarios: chooseScenarios(options.scenario),
    connections: options.connections ?? [CONNECTIONS],
    rounds: options.rounds,
    seconds: options.duration,
    othersShareMax: (options.quiet ?? Number.POSITIVE_INFINITY) / 100,
    workers: process.platform === "linux" ? WORKERS : 1,
  };
  const children = createChildren();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      // A second one ends this process at once; its children then end by themselves.
      say("stopping");
      void children.stopAll().finally(() => process.exit(EXIT_INTERRUPTED));
    });
  }
  try {
    const { variants, problems } = await runRounds(plan, children, createCpuClock(), say);
    const rows = summarize(variants);
    process.stdout.write(`\n${writeTable(rows)}\n`);
    if (json) await Bun.write(json, `${JSON.stringify(describeRun(plan, rows), null, 2)}\n`);
    for (const problem of problems) say(`unexpected answers: ${problem}`);
    return problems.length === 0 ? 0 : EXIT_UNEXPECTED;
  } catch (error) {
    say((error as Error).message);
    return EXIT_UNEXPECTED;
  } finally {
    await children.stopAll();
  }
}

function chooseScenarios(chosen: readonly string[] = names): Scenario[] {
  const scenarios = SCENARIOS.filter(({ name }) => chosen.includes(name));
  if (hasRedis()) return scenarios;
  say("redis-server is not on PATH: only the embedded store is measured");
  return scenarios.filter(({ exchange }) => !exchange?.usesRedis);
}

function collectName(name: string, earlier: string[] = []): string[] {
  if (!names.includes(name)) throw new InvalidArgumentError(`Choose from ${names.join(", ")}.`);
  return [...earlier, name];
}

function collectNumber(text: string, earlier: number[] = []): number[] {
  return [...earlier, readNumber(text)];
}

function readNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("Expected a whole number from 1.");
}

/** Progress goes to standard error, so that standard output is the table alone. */
function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}
