import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { compareWith, expectCommonRows, findRegressions, readBaseline } from "./baseline.ts";
import { createChildren } from "./children.ts";
import { createCpuClock } from "./cpu.ts";
import { type Order, readOrder } from "./options.ts";
import { writePage } from "./page.ts";
import { describeRun } from "./results.ts";
import { runRounds } from "./rounds.ts";
import { runSoak } from "./soak.ts";
import { summarize } from "./summary.ts";
import { writeBesides, writeDifferences, writeSoaks, writeTable, writeTargets } from "./table.ts";
import { checkTargets } from "./targets.ts";

const EXIT_UNEXPECTED = 1;
const EXIT_INTERRUPTED = 130;

process.exitCode = await bench(readOrder(say));

/** @returns the exit status */
async function bench(order: Order): Promise<number> {
  const { plan, soakSeconds, json, html } = order;
  const children = createChildren();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      // A second one ends this process at once; its children then end by themselves.
      say("stopping");
      void children.stopAll().finally(() => process.exit(EXIT_INTERRUPTED));
    });
  }
  try {
    // Before the load: who mistypes a path should not wait for it.
    const baseline = order.baseline ? await readBaseline(order.baseline, plan) : undefined;
    if (baseline) expectCommonRows(baseline, plan);
    expectFolders(json, html);
    const tools = { children, clock: createCpuClock(), say };
    const { variants, problems } = await runRounds(plan, tools);
    const soak = soakSeconds ? await runSoak(plan, tools, soakSeconds) : undefined;
    const rows = summarize(variants);
    const soaks = soak?.soaks ?? [];
    const targets = checkTargets(rows, soaks);
    const differences = baseline ? compareWith(baseline, rows) : [];
    print(writeTable(rows));
    print(writeBesides(rows));
    print(writeSoaks(soaks));
    print(writeTargets(targets));
    if (baseline) print(writeDifferences(differences));

    const results = describeRun(plan, { rows, soaks, targets });
    if (json) await Bun.write(json, `${JSON.stringify(results, null, 2)}\n`);
    if (html) await Bun.write(html, await writePage(results));
    const regressions = findRegressions(differences, order.regressionMax);
    for (const { scenario, connections, percent } of regressions) {
      say(`regression: ${scenario}, ${connections} connections: ${percent.toFixed(1)} % above`);
    }
    const unexpected = [...problems, ...(soak?.problems ?? [])];
    for (const problem of unexpected) say(`unexpected: ${problem}`);
    return unexpected.length + regressions.length === 0 ? 0 : EXIT_UNEXPECTED;
  } catch (error) {
    say((error as Error).message);
    for (const words of await children.lastWords()) say(words);
    return EXIT_UNEXPECTED;
  } finally {
    await children.stopAll();
  }
}

function print(block: string): void {
  if (block !== "") process.stdout.write(`\n${block}`);
}

/** Progress goes to standard error, so that standard output is the tables alone. */
function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

/** @throws Error naming the file whose folder is missing or cannot be written to */
function expectFolders(...files: readonly (string | undefined)[]): void {
  for (const file of files) {
    if (file === undefined) continue;
    try {
      accessSync(dirname(file), constants.W_OK);
    } catch (cause) {
      throw new Error(`${file} cannot be written: ${(cause as Error).message}`, { cause });
    }
  }
}
