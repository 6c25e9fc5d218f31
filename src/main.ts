import { Command } from "commander";
import packageJson from "../package.json" with { type: "json" };
import {
  ConfigError,
  ConfigSchema,
  EXIT_CONFIG,
  loadConfig,
  type RawSettings,
  type SettingName,
} from "./config.ts";
import { egressRule, ownUrl } from "./config-views.ts";

const HEALTH_TIMEOUT_MS = 2_000;
const ECHO_MS = 100;

const settings = Object.keys(ConfigSchema.properties) as SettingName[];
const flagOf = (name: SettingName) => `--${name.toLowerCase().replaceAll("_", "-")}`;
/** Commander's name of a flag: `--data-dir` becomes `dataDir`. */
const optionOf = (name: SettingName) =>
  name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** A command with a flag for every setting; flags win over the environment and `.env`. */
function withSettings(command: Command): Command {
  for (const name of settings) {
    const { description, default: fallback } = ConfigSchema.properties[name];
    const shown = fallback === "" ? "unset" : String(fallback);
    command.option(`${flagOf(name)} <value>`, `${description} (env: ${name}, default: ${shown})`);
  }
  return command;
}

function readConfig(options: Record<string, string>) {
  const flags: RawSettings = Object.fromEntries(settings.map((n) => [n, options[optionOf(n)]]));
  const isProduction = process.env.NODE_ENV === "production";
  return loadConfig(flags, process.env, { EXPLAIN: String(!isProduction) });
}

async function serve(options: Record<string, string>): Promise<void> {
  // A package script is told of Ctrl-C by the terminal, and once more by `bun run` around it.
  const isScript = ["start", "exchange"].includes(process.env.npm_lifecycle_event ?? "");
  const { runSupervisor } = await import("./supervisor.ts");
  await runSupervisor(readConfig(options), isScript ? ECHO_MS : 0);
}

/** Loaded when one is asked for: what a worker loads for nothing stays in its memory. */
const importCommands = () => import("./catalog/commands.ts");

/** What the catalog's commands begin with. */
function catalogOf(options: Record<string, string>) {
  const config = readConfig(options);
  return [config.CATALOG, egressRule(config)] as const;
}

async function check(options: Record<string, string>): Promise<void> {
  const config = readConfig(options);
  const { countCatalog, readCatalog } = await importCommands();
  const counts = countCatalog(await readCatalog(config.CATALOG, egressRule(config)));
  print(`configuration and catalog are good: ${counts}\n`);
}

/** For containers: exit status 0 when the service on this host is ready. */
async function healthcheck(options: Record<string, string>): Promise<void> {
  const config = readConfig(options);
  const url = `${ownUrl(config, config.PORT, "127.0.0.1")}/readyz`;
  const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
  const answer = await fetch(url, { signal }).catch((error: Error) => error);
  if (answer instanceof Error) fail(1, `not ready: no answer on ${url}`);
  if (!answer.ok) fail(1, `not ready: ${await answer.text()}`);
  print("ready\n");
}

const EXAMPLES = `
Examples:
  exchange serve --port 9000
  REDIS_URL=redis://localhost exchange serve
`;

const print = (text: string) => void process.stdout.write(text);

function fail(status: number, message: string): never {
  process.stderr.write(`exchange: ${message}\n`);
  process.exit(status);
}

const program = new Command("exchange")
  .description("A real-time ad exchange: POST /bid holds an auction, GET /stat says what happened.")
  .version(packageJson.version)
  .showHelpAfterError("(--help lists what there is)");
const serveCommand = withSettings(program.command("serve", { isDefault: true }))
  .description("run the service (the default)")
  .action(serve);
// The first help that a user asks for names the settings too.
program.addHelpText("after", () => {
  const help = serveCommand.helpInformation();
  return `\nSettings, for every command:\n${help.slice(help.indexOf("\n  --") + 1)}${EXAMPLES}`;
});
withSettings(program.command("check"))
  .description("check the configuration and the catalog")
  .action(check);
withSettings(program.command("healthcheck"))
  .description("ask the service on this host whether it is ready")
  .action(healthcheck);
const catalogCommand = program
  .command("catalog")
  .description("set up, fill and look at the catalog that CATALOG names");
withSettings(catalogCommand.command("init"))
  .description("add the tables that are missing to the database; to a new one, the sample")
  .action(async (options) =>
    print(await (await importCommands()).initCatalog(...catalogOf(options))),
  );
withSettings(catalogCommand.command("import <file>"))
  .description("replace what the database says by a JSON file")
  .action(async (file, options) =>
    print(await (await importCommands()).importCatalog(...catalogOf(options), file)),
  );
withSettings(catalogCommand.command("export [file]"))
  .description("write the catalog as JSON")
  .action(async (file, options) =>
    print(await (await importCommands()).exportCatalog(...catalogOf(options), file)),
  );
withSettings(catalogCommand.command("diff [file]"))
  .description("show what a reload would change, or what an import of the file would")
  .action(async (file, options) => {
    const { DATA_DIR } = readConfig(options);
    print(await (await importCommands()).diffCatalog(...catalogOf(options), DATA_DIR, file));
  });
// Started by the supervisor, which speaks with them over IPC. Each process loads its own modules
// only: a catalog is loaded again and again, and the supervisor serves nobody.
program
  .command("worker", { hidden: true })
  .action(async () => (await import("./worker.ts")).runWorker());
program
  .command("catalog-loader", { hidden: true })
  .action(async () => (await import("./processes/catalog-loader.ts")).runCatalogLoader());

try {
  await program.parseAsync();
} catch (error) {
  const isCatalog = ["CatalogError", "SchemaError"].includes((error as Error).name);
  const isConfig = error instanceof ConfigError || isCatalog;
  fail(isConfig ? EXIT_CONFIG : 1, (error as Error).message);
}
