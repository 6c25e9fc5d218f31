import {
  type OpenCountersOptions,
  type OpenWindowsOptions,
  openRedisCounters,
  openRedisWindows,
} from "../../src/store/redis/open.ts";
import {
  answersWithin,
  type CounterStore,
  type SupplyIncrements,
  type WindowStore,
} from "../../src/store/store.ts";
import { until } from "./until.ts";

const ANSWER_MS = 5_000;

/** The counters on a Redis, once it answers. */
export async function openCounters(
  url: string,
  options: Partial<OpenCountersOptions> = {},
): Promise<CounterStore> {
  const counters = openRedisCounters({ url, onError() {}, onReconnect() {}, ...options });
  if (!(await answersWithin(counters, ANSWER_MS))) throw new Error("Redis does not answer");
  return counters;
}

/** The windows on a Redis, once one more client was admitted. */
export async function openWindows(
  url: string,
  options: Partial<OpenWindowsOptions> = {},
): Promise<WindowStore> {
  const windows = openRedisWindows({
    url,
    limit: { max: 3, windowMs: 60_000 },
    producer: "tester",
    admitDeadlineMs: ANSWER_MS,
    onError() {},
    ...options,
  });
  await untilAdmits(windows);
  return windows;
}

/** Waits for the limiter's connection. */
export const untilAdmits = (windows: WindowStore): Promise<void> =>
  until("an admission", () =>
    windows.admit([{ client: "warm-up", wanted: 1 }]).then(
      () => true,
      () => false,
    ),
  );

/** What so many auctions of a supply add, and no more than their number. */
export const auctionsOf = (from: number, to: number, supplyId = "s"): SupplyIncrements => ({
  supplyId,
  from,
  to,
  increments: new Map([["total_reqs", to - from]]),
});
