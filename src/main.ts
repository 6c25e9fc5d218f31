import { Command } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { loadCatalogFile } from "./catalog/file-source.ts";
import {
  ConfigError,
  ConfigSchema,
  loadConfig,
  type RawSettings,
  type SettingName,
} from "./config.ts";
import { egressRule } from "./config-views.ts";
import { EXIT_CONFIG, runSupervisor } from "./supervisor.ts";
import { runWorker } from "./worker.ts";

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
  await runSupervisor(readConfig(options), isScript ? ECHO_MS : 0);
}

async function check(options: Record<string, string>): Promise<void> {
  const config = readConfig(options);
  const { supplies, bidders } = await loadCatalogFile(config.CATALOG, egressRule(config));
  const counts = `${Object.keys(supplies).length} supplies, ${Object.keys(bidders).length} bidders`;
  process.stdout.write(`configuration and catalog are good: ${counts}\n`);
}

/** For containers: exit status 0 when the service on this host is ready. */
async function healthcheck(options: Record<string, string>): Promise<void> {
  const config = readConfig(options);
  const host = ["0.0.0.0", "::"].includes(config.HOST) ? "127.0.0.1" : config.HOST;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${config.PORT}/readyz`;
  const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
  const answer = await fetch(url, { signal }).catch((error: Error) => error);
  if (answer instanceof Error) fail(1, `not ready: ${answer.message}`);
  if (!answer.ok) fail(1, `not ready: ${await answer.text()}`);
  process.stdout.write("ready\n");
}

const EXAMPLES = `
Examples:
  exchange serve --port 9000
  REDIS_URL=redis://localhost exchange serve
`;

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
// Started by the supervisor, which speaks with it over IPC.
program.command("worker", { hidden: true }).action(runWorker);

try {
  await program.parseAsync();
} catch (error) {
  const isConfig = error instanceof ConfigError || (error as Error).name === "CatalogError";
  fail(isConfig ? EXIT_CONFIG : 1, (error as Error).message);
}
