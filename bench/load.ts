import autocannon from "autocannon";
import { build } from "hdr-histogram-js";
import type { Traffic } from "./traffic.ts";

/** autocannon looks at this interval whether the time is up. */
const SAMPLE_MS = 100;
const LATENCY_US_MAX = 60_000_000;

export interface LoadOptions {
  url: string;
  connections: number;
  seconds: number;
  traffic: Traffic;
}

export interface Load {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** Answers by `code`, "200", or what went wrong instead. */
  readonly answers: ReadonlyMap<string, number>;
  /** CPU time of this process, seconds. */
  readonly generatorCpuSeconds: number;
  readonly wallSeconds: number;
}

/** Closed loop: every connection sends its next request as soon as it has its answer. */
export async function runLoad({ url, connections, seconds, traffic }: LoadOptions): Promise<Load> {
  // autocannon's own histogram counts whole milliseconds.
  const latenciesUs = build({
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
  });
  const answers = new Map<string, number>();
  const note = (kind: string) => answers.set(kind, (answers.get(kind) ?? 0) + 1);
  let requests = 0;
  let status = 0;

  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    const run = autocannon(
      {
        url,
        connections,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        setupClient: traffic,
        // Called right after the event below, with the body of the same answer.
        verifyBody: (body) => {
          note(kindOf(status, String(body)));
          return true;
        },
      },
      (error) => (error ? reject(error) : resolve()),
    );
    run.on("response", (_client, statusCode, _bytes, latencyMs) => {
      requests++;
      status = statusCode;
      latenciesUs.recordValue(Math.min(LATENCY_US_MAX, Math.round(latencyMs * 1000)));
    });
    run.on("reqError", (error: Error) => note(error.message));
  });

  const wallSeconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    requests,
    requestsPerSecond: requests / wallSeconds,
    p50Us: latenciesUs.getValueAtPercentile(50),
    p99Us: latenciesUs.getValueAtPercentile(99),
    p999Us: latenciesUs.getValueAtPercentile(99.9),
    answers,
    generatorCpuSeconds: (user + system) / 1e6,
    wallSeconds,
  };
}

const CODE = '"code":"';

/** Without a JSON parser: this runs for every answer. */
function kindOf(status: number, body: string): string {
  if (status === 200) return "200";
  const at = body.indexOf(CODE);
  if (at < 0) return `status ${status}`;
  const from = at + CODE.length;
  return body.slice(from, body.indexOf('"', from));
}
