import { within } from "../actor/within.ts";
import type { RequestIdOf } from "./request-id.ts";

/** One line of GET /readyz. `degraded`: a documented fallback is in force. */
export interface Check {
  readonly status: "ok" | "degraded" | "failed";
  readonly detail: string;
}

export interface HealthRouteOptions {
  requestIdOf: RequestIdOf;
  /** Each check by name. One that rejects, or takes half a second, has failed. */
  checks: Readonly<Record<string, () => Check | Promise<Check>>>;
}

const CHECK_DEADLINE_MS = 500;

/** 200 while the process runs: never asks anything, so that an outage restarts nobody. */
export const createLiveRoute = (requestIdOf: RequestIdOf) => (request: Request) =>
  json(200, { status: "ok" }, requestIdOf(request));

/** 200 when auctions can be held, 503 while starting, draining or unable to; a line per check. */
export function createReadyRoute({ requestIdOf, checks }: HealthRouteOptions) {
  return async (request: Request): Promise<Response> => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, run]) => [name, await runCheck(run)] as const),
    );
    const statuses = results.map(([, check]) => check.status);
    const isReady = !statuses.includes("failed");
    const status = !isReady ? "unavailable" : statuses.includes("degraded") ? "degraded" : "ok";
    const body = { status, checks: Object.fromEntries(results) };
    return json(isReady ? 200 : 503, body, requestIdOf(request));
  };
}

async function runCheck(run: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await within(Promise.resolve(run()), CHECK_DEADLINE_MS, "check");
  } catch {
    return { status: "failed", detail: "no answer" };
  }
}

const json = (status: number, body: unknown, requestId: string) =>
  new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-request-id": requestId,
      ...(status === 503 && { "retry-after": "1" }),
    },
  });
