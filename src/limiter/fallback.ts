import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from "cockatiel";
import { admissionRingOver, ringBytes } from "../store/embedded/admission-ring.ts";
import { createWindows } from "../store/embedded/windows.ts";
import type {
  AdmitEntry,
  AdmitResult,
  PastAdmissions,
  WindowLimit,
  WindowStore,
} from "../store/store.ts";

/** What to do while the store does not answer. */
type OnStoreError = "local" | "open" | "closed";

/** The store does not answer and the setting is not to admit without it. */
export class LimiterClosedError extends Error {
  override name = "LimiterClosedError";
}

/** A verdict; one that was reached without the store holds only until the store is back. */
export type GuardedResult = AdmitResult & { readonly isLocal?: true };

export interface FallbackOptions {
  store: Omit<WindowStore, "close">;
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

/** An admission that the store does not know of yet. */
interface Owed {
  readonly id: string;
  readonly atMs: number;
}

const FAILURES_MAX = 5;
const PROBE_MS = 250;
/**
 * Admissions, of which each worker remembers 15/16 for the case of an outage, and while it lasts:
 * those of the store as well. Beyond it, at the default window above 1,024 admissions a second of
 * one worker, the oldest is forgotten, and its client gets its share anew. The first to be admitted
 * without the store waits until all of them are sorted by client, 4 to 11 ms. A power of two.
 */
const SHADOW_MAX = 65_536;
/** Admissions that wait to be put back. Beyond it the oldest tenth is let go. */
const OWED_MAX = 200_000;
/** Put back at once; a store that is away is not offered all that is owed again and again. */
const CLIENTS_PER_CALL = 1_024;
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
  const { store, limit, workers, onStoreError, producer, onChange } = options;
  const { now = () => performance.now(), probeMs = PROBE_MS } = options;
  const share: WindowLimit = { ...limit, max: Math.max(1, Math.floor(limit.max / workers)) };
  const ring = admissionRingOver(new Uint8Array(ringBytes(SHADOW_MAX)));
  const own = createWindows({ limit: share, ring, now });
  const breaker = circuitBreaker(handleAll, {
    // When to try is decided by `scheduleProbe`: the library reads a clock that may be set.
    halfOpenAfter: Number.NEGATIVE_INFINITY,
    breaker: new ConsecutiveBreaker(FAILURES_MAX),
  });
  /** Admissions to put back, by client. */
  const owed = new Map<string, Owed[]>();
  let owedNow = 0;
  let owedEver = 0;
  let isPaying = false;
  let isAway = false;
  /** The last call failed. Else the breaker, 30 µs a call under load, learns nothing of success. */
  let isFailing = false;
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
    // Ahead of the call, so that its verdict takes in what this worker has admitted by itself.
    if (owed.size > 0) payBackBefore(entries);
    try {
      results = await (isFailing
        ? breaker.execute(() => store.admit(entries))
        : store.admit(entries));
      isFailing = false;
    } catch (fault) {
      if (!isFailing) await breaker.execute(() => Promise.reject(fault)).catch(() => {});
      isFailing = true;
      return admitWithoutStore(entries, fault);
    }
    const atMs = now();
    results.forEach(({ granted }, i) => {
      for (let left = granted; left > 0; left--) own.note(entries[i]!.client, atMs);
    });
    return results;
  }

  function payBackBefore(entries: readonly AdmitEntry[]): void {
    const due = entries.filter(({ client }) => owed.has(client)).map(({ client }) => client);
    if (due.length > 0) payBack(due).catch(() => {}); // Else the probe pays.
  }

  /** @param cause  what the store said just now; none: it was not asked */
  function admitWithoutStore(entries: readonly AdmitEntry[], cause?: unknown): GuardedResult[] {
    if (onStoreError === "closed") {
      throw new LimiterClosedError("the limiter's store is away", { cause });
    }
    if (onStoreError === "open") return entries.map(admitAll);
    const results = entries.map(({ client, wanted }) => own.admit(client, wanted));
    results.forEach(({ granted }, i) => {
      owe(entries[i]!.client, granted);
    });
    if (owed.size > 0) scheduleProbe(); // Also after a single call that failed.
    return results.map((result) => ({ ...result, isLocal: true }));
  }

  const admitAll = ({ wanted }: AdmitEntry): GuardedResult => ({
    granted: wanted,
    remaining: limit.max,
    resetMs: limit.windowMs,
    isLocal: true,
  });

  function owe(client: string, count: number): void {
    const own = owed.get(client) ?? [];
    if (count > 0) owed.set(client, own);
    for (let i = 0; i < count; i++) {
      own.push({ id: `${producer}.f${(++owedEver).toString(36)}`, atMs: now() });
    }
    owedNow += count;
    if (owedNow > OWED_MAX) letGo(OWED_MAX / 10);
  }

  /** Those whose debt began first. */
  function letGo(count: number): void {
    for (const [client, own] of owed) {
      if (count <= 0) return;
      count -= own.length;
      settle(client, own);
    }
  }

  /** One that is due stays due: bids that keep coming must not put it off. */
  function scheduleProbe(): void {
    if (isStopped || isPaying) return;
    probe ??= setTimeout(tryStore, probeMs);
  }

  /** Pays back what is owed; the breaker closes when that has succeeded. */
  async function tryStore(): Promise<void> {
    probe = undefined;
    isPaying = true;
    await breaker.execute(payAll).catch(() => {});
    isPaying = false;
    if (breaker.state !== CircuitState.Closed || owed.size > 0) scheduleProbe();
  }

  async function payAll(): Promise<void> {
    dropExpired();
    if (owed.size === 0) return store.restore([PROBE]);
    while (owed.size > 0) await payBack([...owed.keys().take(CLIENTS_PER_CALL)]);
  }

  async function payBack(clients: readonly string[]): Promise<void> {
    const nowMs = now();
    const due = clients.map((client) => ({ client, admissions: [...owed.get(client)!] }));
    const withAge = ({ id, atMs }: Owed) => ({ id, ageMs: nowMs - atMs });
    await store.restore(
      due.map(({ client, admissions }) => ({ client, admissions: admissions.map(withAge) })),
    );
    for (const { client, admissions } of due) settle(client, admissions);
  }

  function dropExpired(): void {
    const oldestMs = now() - limit.windowMs;
    for (const [client, own] of owed) {
      const expired = own.filter(({ atMs }) => atMs <= oldestMs);
      if (expired.length > 0) settle(client, expired);
    }
  }

  /** These are owed no more. Some may have been settled before. */
  function settle(client: string, admissions: readonly Owed[]): void {
    const own = owed.get(client) ?? [];
    const settled = new Set(admissions);
    const left = own.filter((admission) => !settled.has(admission));
    owedNow -= own.length - left.length;
    if (left.length > 0) owed.set(client, left);
    else owed.delete(client);
  }

  function stop(): void {
    isStopped = true;
    clearTimeout(probe);
  }

  return { admit, isActive: () => breaker.state !== CircuitState.Closed, stop };
}
