import { Command, InvalidArgumentError, Option } from "commander";
import type { Plan } from "./plan.ts";
import { REFERENCE, type Scenario } from "./scenario.ts";
import { type StoreChoice, scenariosOn } from "./scenarios.ts";
import { hasRedis } from "./target.ts";
import { hasWrk } from "./wrk.ts";

/** Of the service and of the reference. */
const WORKERS = 3;
const CONNECTIONS = 64;
const SUPPLIES = 100_000;

interface Options {
  scenario?: string[];
  store?: StoreChoice;
  connections?: number[];
  duration: number;
  rounds: number;
  turns: number;
  generator: Plan["generator"];
  quiet?: number;
  workers: number;
  supplies: number;
  soak?: number;
  json?: string;
  html?: string;
  baseline?: string;
  failOnRegression?: number;
}

/** What one run does, and what becomes of its figures. */
export interface Order {
  readonly plan: Plan;
  /** Length of the run that watches the memory; none without. */
  readonly soakSeconds: number | undefined;
  readonly json: string | undefined;
  readonly html: string | undefined;
  readonly baseline: string | undefined;
  /** Most that a ratio may grow over the baseline, percent; none: as much as it likes. */
  readonly regressionMax: number | undefined;
}

/** Reads the command line; on a mistake, says so and ends the process. */
export function readOrder(say: (line: string) => void): Order {
  const program = new Command("bench")
    .description("Load-tests copies of the service that it starts itself, and prints a table.")
    .addOption(
      new Option("--scenario <name>", "run only this one; may be repeated").argParser(collect),
    )
    .addOption(
      new Option("--store <name>", "store of the scenarios that may use either").choices([
        "redis",
        "embedded",
        "both",
      ]),
    )
    .addOption(
      new Option(
        "--connections <n>",
        `open connections; may be repeated (default: ${CONNECTIONS})`,
      ).argParser(collectNumber),
    )
    .option("--duration <seconds>", "length of one measurement", readSeconds, 2)
    .option("--rounds <n>", "visits to each scenario, which starts it anew", readNumber, 3)
    .option("--turns <n>", "measurements in a visit, each after the reference", readNumber, 3)
    .addOption(
      new Option("--generator <name>", "what sends the load of closed loops")
        .choices(["autocannon", "wrk"])
        .default("autocannon"),
    )
    .option("--quiet <percent>", "repeat while others use more of a core than this", readNumber)
    .option("--workers <n>", "processes that answer", readNumber, WORKERS)
    .option("--supplies <n>", "supplies of the large catalog", readNumber, SUPPLIES)
    .option("--soak <seconds>", "then watch the memory under load for so long", readSeconds)
    .option("--json <file>", "write all figures to this file")
    .option("--html <file>", "write a page with charts to this file")
    .option("--baseline <file>", "compare the ratios with those that --json wrote earlier")
    .option(
      "--fail-on-regression <percent>",
      "exit status 1 when a ratio is so much above the baseline's",
      readPercent,
    )
    .addHelpText("after", describeScenarios)
    .showHelpAfterError("See --help.")
    .parse();
  const options = program.opts<Options>();
  const scenarios = chooseScenarios(program, options);
  if (options.failOnRegression !== undefined && options.baseline === undefined) {
    program.error("--fail-on-regression needs a --baseline");
  }
  const hasReference = scenarios.some(({ name }) => name === REFERENCE);
  if (options.baseline && !hasReference) {
    program.error(`--baseline compares ratios to the reference: add --scenario ${REFERENCE}`);
  }
  if (!hasReference) say(`ratios and targets need the reference: add --scenario ${REFERENCE}`);
  if (options.generator === "wrk" && !hasWrk()) program.error("wrk is not on PATH");
  if (!hasRedis()) say("redis-server is not on PATH: only the embedded store is measured");
  return {
    plan: {
      scenarios,
      connections: options.connections ?? [CONNECTIONS],
      rounds: options.rounds,
      turns: options.turns,
      seconds: options.duration,
      workers: process.platform === "linux" ? options.workers : 1,
      supplies: options.supplies,
      generator: options.generator,
      othersShareMax: (options.quiet ?? Number.POSITIVE_INFINITY) / 100,
    },
    soakSeconds: options.soak,
    json: options.json,
    html: options.html,
    baseline: options.baseline,
    regressionMax: options.failOnRegression,
  };
}

function chooseScenarios(program: Command, { store, scenario }: Options): Scenario[] {
  const available = scenariosOn(store);
  if (!scenario) return available;
  const namesOf = ({ name, usualName = name }: Scenario) => [name, usualName];
  const names = available.map(({ name }) => name);
  const known = new Set(available.flatMap(namesOf));
  const unknown = scenario.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    program.error(`no scenario ${unknown.join(", ")}. Choose from ${names.join(", ")}.`);
  }
  return available.filter((one) => namesOf(one).some((name) => scenario.includes(name)));
}

function describeScenarios(): string {
  const lines = scenariosOn(undefined).map(({ name, about }) => `  ${name.padEnd(18)} ${about}`);
  return `\nScenarios:\n${lines.join("\n")}\n`;
}

const collect = (name: string, earlier: string[] = []) => [...earlier, name];

const collectNumber = (text: string, earlier: number[] = []) => [...earlier, readNumber(text)];

function readNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("Expected a whole number from 1.");
}

function readSeconds(text: string): number {
  const value = Number(text);
  if (value >= 0.1 && value <= 3_600) return value;
  throw new InvalidArgumentError("Expected seconds, 0.1 to 3600.");
}

function readPercent(text: string): number {
  const value = Number(text);
  if (text !== "" && value >= 0) return value;
  throw new InvalidArgumentError("Expected a percentage from 0.");
}
