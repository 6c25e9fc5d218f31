import { createShared } from "../actor/shared.ts";
import { within } from "../actor/within.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { writeReport } from "../stats/report.ts";
import type { CounterStore } from "../store/store.ts";
import { problem } from "./problem.ts";
import type { RequestIdOf } from "./request-id.ts";

/** Longest that GET /stat waits for the store, and for a worker that has to count, milliseconds. */
const STAT_DEADLINE_MS = 1_500;

export interface StatRouteOptions {
  catalog: () => Catalog;
  requestIdOf: RequestIdOf;
  /** Counters that contain whatever any worker answered before the call. */
  read: CounterStore["read"];
  /** How old an answer may be, milliseconds; 0: never old. */
  cacheMs: number;
  /** Told of the first failure of a row of them. */
  onFault: (fault: unknown) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
}

export type HandleStat = (request: Request, supplyId: string | undefined) => Promise<Response>;

interface Report {
  body: string;
  etag: string;
  madeAtMs: number;
  catalogVersion: number;
}

/** Answers GET /stat: whatever was answered before it was sent is in it, or it is a 503. */
export function createStatRoute(options: StatRouteOptions): HandleStat {
  const { catalog, requestIdOf, read, cacheMs, onFault } = options;
  const { now = () => performance.now() } = options;
  const sharedReport = createShared(makeReport);
  const askedFor = new Set<string>();
  const sharedRead = createShared(readAskedFor);
  let cached: Report | undefined;
  let isFailing = false;

  async function makeReport(): Promise<Report> {
    const madeAtMs = now();
    const counted = await read();
    const { version } = catalog();
    return toReport(await writeReport(catalog(), counted), madeAtMs, version);
  }

  async function currentReport(): Promise<Report> {
    const isFresh =
      cached !== undefined &&
      cached.catalogVersion === catalog().version &&
      now() - cached.madeAtMs < cacheMs;
    if (isFresh) return cached!;
    const report = await sharedReport();
    if (cacheMs > 0) cached = report;
    return report;
  }

  function readAskedFor() {
    const supplyIds = [...askedFor];
    askedFor.clear();
    return read(supplyIds);
  }

  async function reportOf(supplyId: string): Promise<Report> {
    askedFor.add(supplyId);
    // Another supply's counters may be what failed.
    const counted = await sharedRead().catch(() => read([supplyId]));
    return toReport(await writeReport(catalog(), counted, supplyId), now(), 0);
  }

  return async (request, supplyId) => {
    const requestId = requestIdOf(request);
    let report: Report;
    try {
      const made = supplyId === undefined ? currentReport() : reportOf(supplyId);
      report = await within(made, STAT_DEADLINE_MS, "stat");
      isFailing = false;
    } catch (fault) {
      if (!isFailing) onFault(fault);
      isFailing = true;
      const detail = "Not every auction answered so far could be counted in time.";
      return problem("stats_unavailable", { requestId, detail });
    }
    if (supplyId !== undefined && report.body === "{}") {
      const detail = "The catalog has no such supply, and none was counted.";
      return problem("not_found", { requestId, detail });
    }
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "x-request-id": requestId,
      etag: report.etag,
      "cache-control": "no-cache",
    };
    if (cacheMs > 0 && supplyId === undefined) {
      const ageMs = Math.max(0, now() - report.madeAtMs);
      headers.age = String(Math.floor(ageMs / 1000));
      headers["cache-control"] = `max-age=${Math.floor(cacheMs / 1000)}`;
    }
    if (matches(request.headers.get("if-none-match"), report.etag)) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(report.body, { headers });
  };
}

const toReport = (body: string, madeAtMs: number, catalogVersion: number): Report => ({
  body,
  etag: `"${Bun.hash(body).toString(36)}"`,
  madeAtMs,
  catalogVersion,
});

/** RFC 9110 section 13.1.2, compared weakly as GET asks for. */
function matches(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}
