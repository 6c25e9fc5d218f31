import autocannon, { type Client } from "autocannon";
import { build, type Histogram } from "hdr-histogram-js";
import { createPace, type Pace } from "./pace.ts";
import { prepareClients, type Traffic } from "./traffic.ts";

/** autocannon looks at this interval whether the time is up. */
const SAMPLE_MS = 100;
const LATENCY_US_MAX = 60_000_000;
/** What a fixed-rate run has sent gets so long to be answered; then it counts as `unanswered`. */
const GRACE_SECONDS = 5;
/** Broken connections after which a run ends: the target is gone. */
const ERRORS_MAX = 1_000;

export interface LoadOptions {
  url: string;
  connections: number;
  /** Longest, where a signal ends it. */
  seconds: number;
  traffic: Traffic;
  /** Requests a second, whatever the answers do. None: a closed loop. */
  rate?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface Load {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** 99th percentile of how late requests of a fixed-rate run were sent through our own fault. */
  readonly lateUs: number;
  /** Answers by `code`, "200", or what went wrong instead. */
  readonly answers: ReadonlyMap<string, number>;
  /** CPU time of the generator, seconds. */
  readonly generatorCpuSeconds: number;
  /** Whether that was spent in a process of its own, not in this one. */
  readonly isOutside: boolean;
  readonly wallSeconds: number;
}

/**
 * Closed loop: every connection sends its next request as soon as it has its answer. With a rate,
 * requests have their times beforehand (pace.ts) and latency counts from those.
 */
export async function runLoad(options: LoadOptions): Promise<Load> {
  const { url, connections, seconds, traffic, rate, signal } = options;
  // autocannon's own histogram counts whole milliseconds.
  const latenciesUs = createLatencies();
  const answers = new Map<string, number>();
  const note = (kind: string, count = 1) => answers.set(kind, (answers.get(kind) ?? 0) + count);
  const pace = rate === undefined ? undefined : createPace({ rate, connections, seconds });
  const prepare = prepareClients(traffic);
  const lost: (() => number)[] = [];
  let requests = 0;
  let status = 0;

  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    const run = autocannon(
      {
        url,
        connections,
        duration: pace ? seconds + GRACE_SECONDS : seconds,
        sampleInt: SAMPLE_MS,
        bailout: ERRORS_MAX,
        setupClient(client) {
          prepare(client);
          pace?.take(client);
          lost.push(watchLost(client));
        },
        // Called right after the event below, with the body of the same answer.
        verifyBody: (body) => {
          note(kindOf(status, String(body)));
          return true;
        },
      },
      (error) => (error ? reject(error) : resolve()),
    );
    run.on("response", (client, statusCode, _bytes, latencyMs) => {
      requests++;
      status = statusCode;
      recordUs(latenciesUs, (pace?.answered(client) ?? latencyMs) * 1000);
    });
    run.on("reqError", (error: Error) => note(error.message));
    if (pace) run.on("start", () => pace.start(run.stop));
    signal?.addEventListener("abort", pace ? pace.end : run.stop, { once: true });
  });
  pace?.stop();

  const wallSeconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const unanswered = pace
    ? pace.planned() - requests
    : lost.reduce((sum, ofClient) => sum + ofClient(), 0);
  if (unanswered > 0) note("unanswered", unanswered);
  return {
    requests,
    requestsPerSecond: requests / (pace?.lastedSeconds() ?? wallSeconds),
    ...percentiles(latenciesUs),
    lateUs: lateUsOf(pace),
    answers,
    generatorCpuSeconds: (user + system) / 1e6,
    isOutside: false,
    wallSeconds,
  };
}

/**
 * How many requests of a closed loop have gone without an answer: autocannon connects again when
 * its target hangs up, and says nothing. One is still under way at the end.
 */
function watchLost(client: Client): () => number {
  let unanswered = 0;
  const events: NodeJS.EventEmitter = client;
  events.on("request", () => unanswered++);
  events.on("response", () => unanswered--);
  return () => Math.max(0, unanswered - 1);
}

const createLatencies = () =>
  build({ highestTrackableValue: LATENCY_US_MAX, numberOfSignificantValueDigits: 3 });

function recordUs(histogram: Histogram, us: number): void {
  histogram.recordValue(Math.min(LATENCY_US_MAX, Math.max(0, Math.round(us))));
}

function percentiles(latenciesUs: Histogram) {
  return {
    p50Us: latenciesUs.getValueAtPercentile(50),
    p99Us: latenciesUs.getValueAtPercentile(99),
    p999Us: latenciesUs.getValueAtPercentile(99.9),
    maxUs: latenciesUs.maxValue,
  };
}

function lateUsOf(pace: Pace | undefined): number {
  if (!pace) return Number.NaN;
  const latenessUs = createLatencies();
  for (const lateMs of pace.lateMs()) recordUs(latenessUs, lateMs * 1000);
  return latenessUs.getValueAtPercentile(99);
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
