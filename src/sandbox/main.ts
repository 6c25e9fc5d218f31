import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { EXIT_CONFIG } from "../config.ts";
import { probePort } from "../processes/port-probe.ts";
import { writeDirections, writeInvitation, writeStubs } from "./banner.ts";
import { loadSandboxFile, ordersOf, SandboxError, withEndpoints } from "./document.ts";
import { startExchangeProcess } from "./exchange-process.ts";
import { runStubProcess } from "./stub-process.ts";
import { startStubProcesses } from "./stub-processes.ts";

const SAMPLE = fileURLToPath(new URL("../../data/sandbox.json", import.meta.url));
/** One press of Ctrl-C may arrive twice: from the terminal and from `bun run` around this. */
const ECHO_MS = 100;

interface Options {
  readonly profiles: string;
  readonly seed?: number;
  readonly processes: number;
  readonly withExchange?: boolean;
  readonly port: number;
}

async function run(options: Options): Promise<void> {
  const told = catchSignals();
  const document = await loadSandboxFile(options.profiles);
  const { seed = document.seed } = options;
  // A taken port is better said before than between the lines of the others.
  const port = options.withExchange ? await findPort(options.port) : 0;
  const played = await startStubProcesses(ordersOf(document, seed), options.processes);
  const folder = mkdtempSync(join(tmpdir(), "exchange-sandbox-"));
  let status: number;
  try {
    const endpoints = new Map(played.stubs.map(({ id, url }) => [id, `${url}/bid`]));
    const catalog = withEndpoints(document.catalog, endpoints);
    const catalogPath = join(folder, "catalog.json");
    writeFileSync(catalogPath, `${JSON.stringify(catalog, null, 2)}\n`);
    process.stdout.write(writeStubs(played.stubs, document.profiles, seed));
    if (options.withExchange) {
      status = await runExchange();
    } else {
      process.stdout.write(writeDirections(catalogPath));
      status = await Promise.race([told, stubsEnded()]);
    }

    async function runExchange(): Promise<number> {
      const url = `http://127.0.0.1:${port}`;
      const exchange = await startExchangeProcess(environmentOf(port, folder, catalogPath));
      process.stdout.write(writeInvitation(url, catalog));
      const end = await Promise.race([told, stubsEnded(), exchange.ended]);
      await exchange.stop();
      return end;
    }
  } finally {
    await played.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  process.exit(status);

  async function stubsEnded(): Promise<number> {
    process.stderr.write(`sandbox: ${(await played.failed).message}\n`);
    return 1;
  }
}

/** What the exchange is told: the environment as it is here, but nothing is kept elsewhere. */
function environmentOf(port: number, folder: string, catalogPath: string) {
  return {
    ...process.env,
    HOST: "127.0.0.1",
    PORT: String(port),
    CATALOG: catalogPath,
    DATA_DIR: join(folder, "data"),
    REDIS_URL: "",
    REDIS_HOST: "",
    RATE_LIMIT_MAX_REQUESTS: "10000",
    ALLOW_PRIVATE_BIDDERS: "true",
    EXPLAIN: "true",
  };
}

async function findPort(wanted: number): Promise<number> {
  try {
    return await probePort("127.0.0.1", wanted, 0);
  } catch (cause) {
    throw new Error(`port ${wanted} is in use; try --port ${(wanted % 65_535) + 1}`, { cause });
  }
}

/** Resolves with the exit status when somebody wants the end; the second time it comes at once. */
function catchSignals(): Promise<number> {
  const told = Promise.withResolvers<number>();
  let toldAtMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      toldAtMs ??= performance.now();
      // All that was started ends with this process, however it ends.
      if (performance.now() - toldAtMs > ECHO_MS) process.exit(130);
      told.resolve(0);
    });
  }
  return told.promise;
}

const integer = (minimum: number, maximum: number) => (text: string) => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
  throw new InvalidArgumentError(`Expected a whole number from ${minimum} to ${maximum}.`);
};

const program = new Command("sandbox")
  .description("Stub bidders that speak OpenRTB 2.6 over HTTP, with and without manners.")
  .addOption(
    new Option("--profiles <file>", "the bidders and the catalog").default(
      SAMPLE,
      "data/sandbox.json",
    ),
  )
  .option("--seed <n>", "instead of the file's: same seed, same answers", integer(0, 2 ** 32 - 1))
  .option("--processes <n>", "most processes for the bidders", integer(1, 64), 16)
  .option("--with-exchange", "start an exchange that bids with them")
  .addOption(
    new Option("--port <n>", "of that exchange; 0 picks one")
      .env("PORT")
      .argParser(integer(0, 65_535))
      .default(8000),
  )
  .action(run);
// Started by the sandbox, which speaks with it over IPC.
program.command("stubs", { hidden: true }).action(runStubProcess);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`sandbox: ${(error as Error).message}\n`);
  process.exit(error instanceof SandboxError ? EXIT_CONFIG : 1);
}
