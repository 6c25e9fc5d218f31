import { join } from "node:path";
import type { Load, LoadOptions } from "./load.ts";
import type { RequestTemplate, Traffic } from "./traffic.ts";

export const hasWrk = (): boolean => Bun.which("wrk") !== null;

/** Addresses that one run may use, so that the next one begins with new ones. */
const ADDRESSES_PER_SECOND = 100_000;
const COUNT_LINE = /^answers (.+) (\d+)$/gm;
const FIGURE_LINE = /^(requests|errors|duration|p50|p99|p999|max) (\d+)$/gm;

/**
 * A closed loop like that of load.ts by wrk, which costs half the CPU. Its script builds the
 * requests beforehand, counts every answer by status and code, and prints latencies in
 * microseconds. wrk itself corrects them for coordinated omission, by the mean interval.
 */
export async function runWrk(dir: string, options: LoadOptions): Promise<Load> {
  const { url, connections, traffic } = options;
  const seconds = Math.ceil(options.seconds); // wrk knows no fractions.
  const path = join(dir, "load.lua");
  await Bun.write(path, writeScript(traffic, traffic.take(seconds * ADDRESSES_PER_SECOND)));
  const startedMs = performance.now();
  const command = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "-s", path, `${url}/bid`];
  const run = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [output, problem] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  if (run.exitCode !== 0 || problem !== "") throw new Error(`wrk failed:\n${problem}${output}`);

  const figure = new Map([...output.matchAll(FIGURE_LINE)].map(([, key, n]) => [key, Number(n)]));
  const answers = new Map(
    [...output.matchAll(COUNT_LINE)].map(([, kind, n]) => [kind!, Number(n)]),
  );
  const errors = figure.get("errors")!;
  if (errors > 0) answers.set("connection error", errors);
  const requests = figure.get("requests")!;
  const { user, system } = run.resourceUsage()!.cpuTime;
  return {
    requests,
    requestsPerSecond: (requests * 1e6) / figure.get("duration")!,
    p50Us: figure.get("p50")!,
    p99Us: figure.get("p99")!,
    p999Us: figure.get("p999")!,
    maxUs: figure.get("max")!,
    lateUs: Number.NaN,
    answers,
    generatorCpuSeconds: Number(user + system) / 1e6,
    isOutside: true,
    wallSeconds: (performance.now() - startedMs) / 1000,
  };
}

/** One thread, one Lua state: `request` and `response` run in it for every request. */
function writeScript(traffic: Traffic, from: number): string {
  const { address, supply, templates } = traffic;
  const marks = [address, supply?.id].filter((mark) => mark !== undefined);
  const requests = templates.map((template) => {
    const parts = splitAt(writeRequest(template), marks).map((part) => JSON.stringify(part));
    return `  { ${parts.join(", ")} },`;
  });
  return SCRIPT.replace("-- REQUESTS", () => requests.join("\n"))
    .replace("FROM", String(from))
    .replace("SUPPLY_COUNT", String(supply?.count ?? 1))
    .replace("SUPPLY_STEP", String(supply?.step ?? 1));
}

function writeRequest({ method, path, headers, body }: RequestTemplate): string {
  const lines = Object.entries({ host: "127.0.0.1", ...headers, "content-length": body.length });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`;
}

/** What is before, between and after the marks. */
function splitAt(text: string, marks: readonly string[]): string[] {
  const parts: string[] = [];
  let rest = text;
  for (const mark of marks) {
    const at = rest.indexOf(mark);
    parts.push(rest.slice(0, at));
    rest = rest.slice(at + mark.length);
  }
  return [...parts, rest];
}

const SCRIPT = `
local requests = {
-- REQUESTS
}
local octets, thousands = {}, {}
for i = 0, 99 do octets[i] = tostring(100 + i) end
for i = 0, 999 do thousands[i] = string.format("%03d", i) end
local sent, floor = FROM, math.floor
counts = {}

function request()
  local parts = requests[sent % #requests + 1]
  local head, middle, tail = parts[1], parts[2], parts[3]
  local index = sent
  sent = sent + 1
  if not middle then return head end
  local address = octets[floor(index / 1000000) % 100] .. "." .. octets[floor(index / 10000) % 100]
    .. "." .. octets[floor(index / 100) % 100] .. "." .. octets[index % 100]
  if not tail then return head .. address .. middle end
  local supply = index * SUPPLY_STEP % SUPPLY_COUNT
  return head .. address .. middle .. "s" .. thousands[floor(supply / 1000)]
    .. thousands[supply % 1000] .. tail
end

function response(status, _, body)
  local kind = "200"
  if status ~= 200 then kind = body:match('"code":"([^"]+)"') or "status " .. status end
  counts[kind] = (counts[kind] or 0) + 1
end

local threads = {}
function setup(thread) table.insert(threads, thread) end

function done(summary, latency)
  local errors = summary.errors
  print("requests " .. summary.requests)
  print("errors " .. errors.connect + errors.read + errors.write + errors.timeout)
  print("duration " .. summary.duration)
  for name, percent in pairs({ p50 = 50, p99 = 99, p999 = 99.9 }) do
    print(string.format("%s %.0f", name, latency:percentile(percent)))
  end
  print(string.format("max %.0f", latency.max))
  for _, thread in ipairs(threads) do
    for kind, count in pairs(thread:get("counts")) do print("answers " .. kind .. " " .. count) end
  end
end
`;
