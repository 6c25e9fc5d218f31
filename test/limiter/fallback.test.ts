import { expect, setSystemTime, test } from "bun:test";
import {
  createFallback,
  type Fallback,
  type FallbackOptions,
  LimiterClosedError,
} from "../../src/limiter/fallback.ts";
import type { AdmitEntry, AdmitResult, PastAdmissions } from "../../src/store/store.ts";
import { until } from "../support/until.ts";

const LIMIT = { max: 3, windowMs: 60_000 };
const PROBE_MS = 20;
const CLIENT = [{ client: "a", wanted: 1 }];

/** A store whose calls fail while it is away, and the admissions that were put back into it. */
function createPart(options: Partial<FallbackOptions> = {}) {
  const store = { isAway: false, refusesWrites: false, restored: [] as PastAdmissions[] };
  const changes: string[] = [];
  /** What reached the store, in order. */
  const calls: string[] = [];
  const admitAll = ({ wanted }: AdmitEntry): AdmitResult => ({
    granted: wanted,
    remaining: 0,
    resetMs: LIMIT.windowMs,
  });
  const fallback: Fallback = createFallback({
    store: {
      async admit(entries) {
        if (store.isAway || store.refusesWrites) throw new Error("away");
        calls.push(`admit ${entries.map(({ client }) => client)}`);
        return entries.map(admitAll);
      },
      async restore(past) {
        if (store.isAway || (store.refusesWrites && past.length > 0)) throw new Error("away");
        calls.push(`restore ${past.map(({ client }) => client)}`);
        store.restored.push(...past);
      },
    },
    limit: LIMIT,
    workers: 3,
    onStoreError: "local",
    producer: "p",
    onChange: (cause) => changes.push(cause ? "away" : "back"),
    probeMs: PROBE_MS,
    ...options,
  });
  return { fallback, store, changes, calls, [Symbol.dispose]: fallback.stop };
}

async function fail(fallback: Fallback, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await fallback.admit([{ client: `f${i}`, wanted: 1 }]);
}

test("begins with the fifth failure in a row, and a success in between begins anew", async () => {
  using part = createPart({ probeMs: 60_000 });
  const { fallback, store } = part;
  store.isAway = true;
  await fail(fallback, 4);
  store.isAway = false;
  await fallback.admit(CLIENT);
  store.isAway = true;
  await fail(fallback, 4);
  expect(fallback.isActive()).toBe(false);
  await fail(fallback, 1);
  expect(fallback.isActive()).toBe(true);
});

test("ends whatever becomes of the wall clock meanwhile", async () => {
  using part = createPart();
  const { fallback, store } = part;
  store.isAway = true;
  await fail(fallback, 5);
  store.isAway = false;
  try {
    setSystemTime(Date.now() - 3_600_000);
    await until("the store is asked again", () => !fallback.isActive());
  } finally {
    setSystemTime();
  }
});

test("puts back what one failed call admitted, while bids keep coming", async () => {
  using part = createPart();
  part.store.isAway = true;
  await part.fallback.admit(CLIENT);
  part.store.isAway = false;
  await until("the admission is put back", async () => {
    await part.fallback.admit([{ client: "b", wanted: 1 }]);
    return part.store.restored.length > 0;
  });
  const [past] = part.store.restored;
  expect(past).toMatchObject({ client: "a", admissions: [{ id: "p.f1" }] });
  expect(part.changes).toEqual([]);
});

test("puts back what one failed call admitted, though no bid follows", async () => {
  using part = createPart();
  part.store.isAway = true;
  await part.fallback.admit(CLIENT);
  part.store.isAway = false;
  await until("the admission is put back", () => part.store.restored.length > 0);
});

test("puts back what it admitted to a client before it asks the store about that client", async () => {
  using part = createPart({ probeMs: 60_000 });
  part.store.isAway = true;
  await part.fallback.admit([...CLIENT, { client: "b", wanted: 1 }]);
  part.store.isAway = false;
  await part.fallback.admit([{ client: "c", wanted: 1 }]);
  await part.fallback.admit([...CLIENT, { client: "d", wanted: 1 }]);
  await part.fallback.admit(CLIENT);
  expect(part.calls).toEqual(["admit c", "restore a", "admit a,d", "admit a"]);
});

test("is over only when everything admitted meanwhile was put back", async () => {
  using part = createPart();
  part.store.isAway = true;
  await fail(part.fallback, 5);
  expect(part.fallback.isActive()).toBe(true);
  expect(await part.fallback.admit(CLIENT)).toMatchObject([{ granted: 1, isLocal: true }]);
  expect(await part.fallback.admit(CLIENT)).toMatchObject([{ granted: 0, isLocal: true }]);
  part.store.isAway = false;
  await until("the end of the outage", () => !part.fallback.isActive());
  expect(part.store.restored.map(({ client }) => client)).toEqual([
    "f0",
    "f1",
    "f2",
    "f3",
    "f4",
    "a",
  ]);
  expect(part.changes).toEqual(["away", "back"]);
});

test("counts what it admitted with the store before the outage, from when that was", async () => {
  let nowMs = 0;
  using part = createPart({ now: () => nowMs, probeMs: 60_000 });
  const admit = async () => (await part.fallback.admit(CLIENT))[0]!;
  expect(await admit()).toMatchObject({ granted: 1 });
  nowMs = 20_000;
  part.store.isAway = true;
  await fail(part.fallback, 5);
  expect(await admit()).toMatchObject({ granted: 0, resetMs: 40_000, isLocal: true });
  nowMs = LIMIT.windowMs;
  expect(await admit()).toMatchObject({ granted: 1, isLocal: true });
});

test.each(["closed", "open"] as const)(
  "with nothing to put back (%s) is not over while the store refuses writes",
  async (onStoreError) => {
    using part = createPart({ onStoreError });
    part.store.refusesWrites = true;
    for (let i = 0; i < 5; i++) {
      const admitted = part.fallback.admit(CLIENT);
      if (onStoreError === "open") expect(await admitted).toMatchObject([{ granted: 1 }]);
      else await expect(admitted).rejects.toThrow(LimiterClosedError);
      await admitted.catch(() => {});
    }
    expect(part.fallback.isActive()).toBe(true);
    await Bun.sleep(5 * PROBE_MS);
    expect(part.changes).toEqual(["away"]);
    part.store.refusesWrites = false;
    await until("the end of the outage", () => !part.fallback.isActive());
    expect(part.changes).toEqual(["away", "back"]);
  },
);
