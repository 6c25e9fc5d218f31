import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import ipaddr from "ipaddr.js";
import { isLocation, LOCATIONS } from "./catalog/location.ts";
import { trustedRanges } from "./config-views.ts";
import { parseLatencyRange } from "./latency-range.ts";
import { mask } from "./mask.ts";

/** Exit status of bad settings or a bad catalog (sysexits.h, EX_CONFIG). */
export const EXIT_CONFIG = 78;

const port = { minimum: 0, maximum: 65_535 };
const milliseconds = (least: number, most: number) => ({ minimum: least, maximum: most });

/** Every setting of the service. A key is its environment variable; flags derive from it. */
export const ConfigSchema = Type.Object({
  PORT: Type.Integer({ default: 8000, ...port, description: "Port of the service; 0 picks one." }),
  HOST: Type.String({ default: "0.0.0.0", minLength: 1, description: "Address to listen on." }),
  WORKERS: Type.Integer({
    default: 3,
    minimum: 1,
    maximum: 64,
    description: "Processes that share the port (1 where the platform cannot share).",
  }),
  REDIS_URL: Type.String({
    default: "",
    pattern: "^$|^rediss?://|^unix:",
    description: "Redis to keep counters and limits in. Empty: the embedded store.",
  }),
  REDIS_HOST: Type.String({ default: "", description: "Redis by host, where there is no URL." }),
  REDIS_PORT: Type.Integer({
    default: 6379,
    minimum: 1,
    maximum: 65_535,
    description: "Port beside REDIS_HOST.",
  }),
  DATA_DIR: Type.String({
    default: ".data",
    minLength: 1,
    description: "Folder of the journals, the embedded store and the catalog's last snapshot.",
  }),
  CATALOG: Type.String({
    default: "data/catalog.json",
    minLength: 1,
    description: "Supplies and bidders: a JSON file, or a database.",
  }),
  CATALOG_REFRESH_SECONDS: Type.Number({
    default: 5,
    minimum: 0.1,
    maximum: 3_600,
    description: "Seconds between two looks at a database, give or take a fifth.",
  }),
  RATE_LIMIT_MAX_REQUESTS: Type.Integer({
    default: 3,
    minimum: 0,
    maximum: 10_000,
    description: "Bids of one client in a window; 0 switches the limiter off.",
  }),
  RATE_LIMIT_WINDOW_SECONDS: Type.Integer({
    default: 60,
    minimum: 1,
    maximum: 86_400,
    description: "Length of the sliding window.",
  }),
  RATE_LIMIT_DEADLINE_MS: Type.Integer({
    default: 30,
    ...milliseconds(1, 5_000),
    description: "Milliseconds that Redis gets to admit a bid.",
  }),
  RATE_LIMIT_ON_ERROR: Type.Union(
    [Type.Literal("local"), Type.Literal("open"), Type.Literal("closed")],
    {
      default: "local",
      description: "Without the store: local limits in each worker, admit all, or refuse all.",
    },
  ),
  TRUSTED_PROXIES: Type.String({
    default: "",
    description: "CIDR list, comma separated. Only from these is X-Forwarded-For read.",
  }),
  TMAX_DEFAULT: Type.Integer({
    default: 200,
    ...milliseconds(1, 60_000),
    description: "Milliseconds that bidders get when the request names no tmax.",
  }),
  TMAX_MAX: Type.Integer({
    default: 5000,
    ...milliseconds(1, 60_000),
    description: "Most milliseconds that a request may ask for.",
  }),
  NO_BID_PROBABILITY: Type.Number({
    default: 0.3,
    minimum: 0,
    maximum: 1,
    description: "Chance that a simulated bidder declines.",
  }),
  BIDDER_LATENCY_MS: Type.String({
    default: "0-0",
    pattern: "^\\d{1,5}-\\d{1,5}$",
    description: "Least and most milliseconds that a simulated bidder takes.",
  }),
  BID_PRICE_MAX: Type.Number({
    default: 1000,
    minimum: 0.01,
    maximum: 4000,
    description: "Highest price (CPM) that is taken for a bid and not for a mistake.",
  }),
  DEVICE_IP: Type.Union([Type.Literal("truncated"), Type.Literal("full")], {
    default: "truncated",
    description: "What bidders get of a client's address: the first 24 (IPv6: 48) bits, or all.",
  }),
  ALLOW_PRIVATE_BIDDERS: Type.Union([Type.Literal("true"), Type.Literal("false")], {
    default: "false",
    description: "Whether bidders may be at private, loopback and link-local addresses.",
  }),
  EXPLAIN: Type.Union([Type.Literal(""), Type.Literal("true"), Type.Literal("false")], {
    default: "",
    description: "Whether POST /bid?explain=1 says why. Empty: not with NODE_ENV=production.",
  }),
  STATS_FLUSH_MS: Type.Integer({
    default: 250,
    ...milliseconds(10, 60_000),
    description: "Milliseconds between two batches of statistics.",
  }),
  STAT_CACHE_MS: Type.Integer({
    default: 0,
    ...milliseconds(0, 3_600_000),
    description: "Milliseconds that an answer of GET /stat may be old; 0: never.",
  }),
  LOG_LEVEL: Type.Union(
    ["fatal", "error", "warn", "info", "debug", "trace", "silent"].map((l) => Type.Literal(l)),
    { default: "info", description: "Least severe log line to write." },
  ),
  LOG_AUCTIONS: Type.String({
    default: "",
    pattern: "^$|^all$|^off$|^1/[1-9]\\d{0,8}$",
    description: "Auctions to log: all, off or 1/N. Empty: all on a terminal, else off.",
  }),
});

export type Config = Readonly<Static<typeof ConfigSchema>>;
export type SettingName = keyof Config;
export type RawSettings = Readonly<Record<string, string | undefined>>;

/** One line per setting that is wrong: the variable, its value, the rule. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`bad configuration:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/**
 * Merges the layers, the first one wins, and checks every setting.
 * @param layers  flags, then the environment; an empty string counts as not set
 * @throws ConfigError naming every bad setting, not just the first
 */
export function loadConfig(...layers: readonly RawSettings[]): Config {
  const raw: Record<string, string> = {};
  const given: Record<string, string | number> = {};
  for (const name of Object.keys(ConfigSchema.properties) as SettingName[]) {
    const value = layers.map((layer) => layer[name]).find((v) => v !== undefined && v !== "");
    if (value === undefined) continue;
    raw[name] = value;
    given[name] = parseSetting(name, value);
  }
  const config = Value.Default(ConfigSchema, given) as {
    -readonly [Name in SettingName]: Config[Name];
  };
  const errors = [...Value.Errors(ConfigSchema, config)];
  const broken = new Set(errors.map(({ path }) => path.slice(1) as SettingName));
  if (raw.TMAX_DEFAULT === undefined && !broken.has("TMAX_MAX")) {
    // Who lowers the most means the usual, too.
    config.TMAX_DEFAULT = Math.min(config.TMAX_DEFAULT, config.TMAX_MAX);
  }
  const problems = [...broken].map((name) => describeProblem(name, raw[name]));
  problems.push(...crossChecks(config, broken));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

/** Numbers as they are written; whether one is whole and in bounds is the schema's to say. */
function parseSetting(name: SettingName, value: string): string | number {
  const isNumber = ["integer", "number"].includes(ConfigSchema.properties[name].type);
  return isNumber && /^[+-]?(\d+\.?|\d*\.\d+)(e[+-]?\d+)?$/i.test(value.trim())
    ? Number(value)
    : value;
}

function describeProblem(name: SettingName, value: string | undefined): string {
  return `${name}="${mask(name, value ?? "")}": expected ${rule(name)}`;
}

/** What a setting may be, in words, for errors and for the help. */
export function rule(name: SettingName): string {
  const schema = ConfigSchema.properties[name] as {
    type?: string;
    minimum?: number;
    maximum?: number;
    anyOf?: { const: string }[];
  };
  const special: Partial<Record<SettingName, string>> = {
    CATALOG: LOCATIONS,
    REDIS_URL: "redis://host:port, rediss://host:port or unix:/path",
    BIDDER_LATENCY_MS: "min-max in milliseconds, such as 10-40",
    EXPLAIN: "true or false",
    LOG_AUCTIONS: "all, off or 1/N",
    TRUSTED_PROXIES: "a comma separated list of CIDR ranges, such as 10.0.0.0/8",
  };
  if (special[name]) return special[name];
  if (schema.anyOf) return `one of ${schema.anyOf.map((option) => option.const).join(", ")}`;
  if (schema.type === "string") return "text that is not empty";
  const kind = schema.type === "integer" ? "a whole number" : "a number";
  return `${kind} from ${schema.minimum} to ${schema.maximum}`;
}

/** Rules that a schema cannot say, for settings that are not `broken` already. */
function crossChecks(config: Config, broken: ReadonlySet<SettingName>): string[] {
  const problems: string[] = [];
  const isTmaxGood = !broken.has("TMAX_DEFAULT") && !broken.has("TMAX_MAX");
  if (isTmaxGood && config.TMAX_DEFAULT > config.TMAX_MAX) {
    problems.push(`TMAX_DEFAULT="${config.TMAX_DEFAULT}": expected at most TMAX_MAX`);
  }
  if (!broken.has("REDIS_URL") && !isRedisUrl(config.REDIS_URL))
    problems.push(describeProblem("REDIS_URL", config.REDIS_URL));
  if (!broken.has("CATALOG") && !isLocation(config.CATALOG))
    problems.push(describeProblem("CATALOG", config.CATALOG));
  const { leastMs, mostMs } = parseLatencyRange(config.BIDDER_LATENCY_MS);
  if (!broken.has("BIDDER_LATENCY_MS") && leastMs > mostMs)
    problems.push(describeProblem("BIDDER_LATENCY_MS", config.BIDDER_LATENCY_MS));
  for (const range of trustedRanges(config)) {
    // Strict, as with client addresses: 10.1/16 would mean 10.0.0.0/16, and 010.0.0.0 8.0.0.0.
    const isGood = ipaddr.IPv4.isValidCIDRFourPartDecimal(range) || ipaddr.IPv6.isValidCIDR(range);
    if (!isGood) problems.push(describeProblem("TRUSTED_PROXIES", range));
  }
  return problems;
}

/** Whether it names a server: ioredis would take a half of one for 127.0.0.1:6379. */
function isRedisUrl(url: string): boolean {
  if (url === "") return true;
  if (url.startsWith("unix:")) return url.replace(/^unix:(\/\/)?/, "").startsWith("/");
  return URL.canParse(url) && new URL(url).hostname !== "";
}
