import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from "cockatiel";
import { createWindows } from "../store/embedded/windows.ts";
import type { AdmitEntry, AdmitResult, PastAdmissions, WindowLimit } from "../store/store.ts";

/** What to do while the store does not answer. */
type OnStoreError = "local" | "open" | "closed";

/** The store does not answer and the setting is not to admit without it. */
export class LimiterClosedError extends Error {
  override name = "LimiterClosedError";
}

/** A verdict; one that was reached without the store holds only until the store is back. */
export type GuardedResult = AdmitResult & { readonly isLocal?: true };

export interface FallbackOptions {
  admit: (entries: readonly AdmitEntry[]) => Promise<readonly AdmitResult[]>;
  restore: (past: readonly PastAdmissions[]) => Promise<void>;
  limit: WindowLimit;
  /** Workers that fall back at the same time, each by itself. */
  workers: number;
  onStoreError: OnStoreError;
  /** Unique to this process. */
  producer: string;
  /** Told when the fallback begins, with the store's error, and when it ends, without. */
  onChange: (cause: Error | undefined) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
  /** Milliseconds between two attempts to reach the store again. */
  probeMs?: number;
}

/** Admissions that go on when the store does not. */
export interface Fallback {
  /** @throws LimiterClosedError where the setting is `closed` and the store does not answer */
  admit(entries: readonly AdmitEntry[]): Promise<readonly GuardedResult[]>;
  isActive(): boolean;
  stop(): void;
}

const FAILURES_MAX = 5;
const PROBE_MS = 250;
/**
 * Clients whose own admissions each worker remembers for the case of an outage. Beyond it the one
 * admitted longest ago is forgotten, and may get one more across a transition than stated below.
 */
const SHADOW_CLIENTS_MAX = 65_536;
/** Admissions that wait to be put back. Beyond it the oldest tenth is let go. */
const OWED_MAX = 200_000;
/** Put back where nothing is owed: a store that refuses to write must not be taken for well. */
const PROBE: PastAdmissions = { client: "probe", admissions: [{ id: "probe", ageMs: 0 }] };

/**
 * Guards the store's admissions with a breaker. While it is open, each worker admits its share of
 * the limit by itself, max(1, floor(limit / workers)), and counts what it admitted before.
 *
 * Bounds for one client and window, with limit 3 and three workers: 3 in a steady outage, 5 across
 * one transition (all 3 by one worker just before, one each by the two others). What was admitted
 * meanwhile is put into the store's windows before the breaker closes.
 */
export function createFallback(options: FallbackOptions): Fallback {
  const { admit: ask, restore, limit, workers, onStoreError, producer, onChange } = options;
  const { now = () => performance.now(), probeMs = PROBE_MS } = options;
  const share: WindowLimit = { ...limit, max: Math.max(1, Math.floor(limit.max / workers)) };
  const own = createWindows(share, now, SHADOW_CLIENTS_MAX);
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: probeMs,
    breaker: new ConsecutiveBreaker(FAILURES_MAX),
  });
  let owed: { client: string; id: string; atMs: number }[] = [];
  let owedEver = 0;
  let isPaying = false;
  let isAway = false;
  let probe: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  breaker.onBreak((reason) => {
    const cause = "error" in reason ? reason.error : undefined;
    if (!isAway) onChange(cause instanceof Error ? cause : new Error("the store failed"));
    isAway = true; // A failed probe breaks it again: that is no news.
    scheduleProbe();
  });
  breaker.onReset(() => {
    isAway = false;
    onChange(undefined);
  });

  async function admit(entries: readonly AdmitEntry[]): Promise<readonly GuardedResult[]> {
    if (breaker.state !== CircuitState.Closed) return admitWithoutStore(entries);
    let results: readonly AdmitResult[];
    try {
      results = await breaker.execute(() => ask(entries));
    } catch {
      return admitWithoutStore(entries);
    }
    results.forEach((result, i) => {
      if (result.granted > 0) own.note(entries[i]!.client, result.granted);
    });
    return results;
  }

  function admitWithoutStore(entries: readonly AdmitEntry[]): readonly GuardedResult[] {
    if (onStoreError === "closed") throw new LimiterClosedError("the limiter's store is away");
    if (onStoreError === "open") return entries.map(admitAll);
    const results = own.admit(entries);
    results.forEach(({ granted }, i) => {
      owe(entries[i]!.client, granted);
    });
    if (owed.length > 0) scheduleProbe(); // Also after a single call that failed.
    return results.map((result) => ({ ...result, isLocal: true }));
  }

  const admitAll = ({ wanted }: AdmitEntry): GuardedResult => ({
    granted: wanted,
    remaining: limit.max,
    resetMs: limit.windowMs,
    isLocal: true,
  });

  function owe(client: string, count: number): void {
    for (let i = 0; i < count; i++) {
      owed.push({ client, id: `${producer}.f${(++owedEver).toString(36)}`, atMs: now() });
    }
    if (owed.length > OWED_MAX) owed = owed.slice(OWED_MAX / 10);
  }

  /** One that is due stays due: bids that keep coming must not put it off. */
  function scheduleProbe(): void {
    if (isStopped || isPaying) return;
    probe ??= setTimeout(tryStore, probeMs + 1);
  }

  /** Pays back what is owed; the breaker closes when that has succeeded. */
  async function tryStore(): Promise<void> {
    probe = undefined;
    isPaying = true;
    await breaker.execute(payBack).catch(() => {});
    isPaying = false;
    if (breaker.state !== CircuitState.Closed || owed.length > 0) scheduleProbe();
  }

  async function payBack(): Promise<void> {
    do {
      const due = dropExpired();
      await restore(due.length > 0 ? groupByClient(due) : [PROBE]);
      // Only what was put back: more may have come meanwhile, and the oldest may have been let go.
      const paid = new Set(due);
      owed = owed.filter((admission) => !paid.has(admission));
    } while (owed.length > 0);
  }

  function dropExpired() {
    const oldestMs = now() - limit.windowMs;
    const first = owed.findIndex((admission) => admission.atMs > oldestMs);
    owed = first < 0 ? [] : owed.slice(first);
    return owed;
  }

  function groupByClient(due: typeof owed): PastAdmissions[] {
    const nowMs = now();
    const byClient = new Map<string, { id: string; ageMs: number }[]>();
    for (const { client, id, atMs } of due) {
      const admissions = byClient.get(client) ?? [];
      byClient.set(client, admissions);
      admissions.push({ id, ageMs: nowMs - atMs });
    }
    return [...byClient].map(([client, admissions]) => ({ client, admissions }));
  }

  function stop(): void {
    isStopped = true;
    clearTimeout(probe);
  }

  return { admit, isActive: () => breaker.state !== CircuitState.Closed, stop };
}
