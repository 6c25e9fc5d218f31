import { buildCatalog, type Supply } from "../../src/catalog/catalog.ts";
import { type CurrentCounters, createCurrentCounters } from "../../src/stats/current-counters.ts";
import { createJournalCounter } from "../../src/stats/journal-counter.ts";
import type { NamedSupply, Names } from "../../src/stats/names.ts";
import { BidderState } from "../../src/stats/outcome.ts";
import { createRecorder, type Recorder } from "../../src/stats/recorder.ts";
import { createRecovery, type Recovery } from "../../src/stats/recovery.ts";
import { type Journal, journalBytes, journalOver } from "../../src/stats/ring.ts";
import { copyRing, type RingCopy } from "../../src/stats/ring-copy.ts";
import { countryField, TOTAL } from "../../src/store/counters.ts";
import type { CounterStore, Counters } from "../../src/store/store.ts";
import { createSimulatedClock, settle } from "./clock.ts";
import { createModelStore, type Snapshot } from "./model-store.ts";

/*
 * Workers, their supervisor and a store on one thread: real journals, recorders and recovery over
 * a simulated clock, transport and data set. The seed decides who does what next and what breaks.
 */
const RING_WORDS = 1024;
const SLOTS = 3;
const FLUSH_MS = 250;
/** Calls older than this are not delivered any more, and data sets go back no further. */
const STALE_MS = 4_000;

const catalog = buildCatalog(
  {
    supplies: { one: ["a", "b"], two: ["b"], three: ["a", "b", "c"] },
    bidders: { a: { country: "US" }, b: { country: "US" }, c: { country: "GB" } },
  },
  1,
);
const COUNTRIES = ["US", "GB", "FR"];
const supplies = [...catalog.supplies.values()];

interface Worker {
  producer: string;
  recorder: Recorder;
  counters: CurrentCounters;
  isAlive: boolean;
}

interface Call {
  atMs: number;
  isRead: boolean;
  /** What the store does when the call reaches it, whether or not anybody still waits. */
  run: () => unknown;
  resolve: (reply: unknown) => void;
  reject: (error: Error) => void;
}

export interface World {
  /** One random step. */
  step(): Promise<void>;
  /** Ends all faults and waits until everything is counted. */
  heal(): Promise<void>;
  /** @throws Error where a counter is more than was recorded, or does not add up */
  check(isHealed: boolean): void;
  recordedTotal(): number;
  /** How often the statistics were given. */
  answers(): number;
}

/** @param asks  whether the workers are asked for the statistics as well */
export function createWorld(seed: number, asks: boolean): World {
  const random = createRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const clock = createSimulatedClock();
  const store = createModelStore();
  const files = new Map<string, { bytes: Uint8Array; entries: NamedSupply[] }>();
  const retired = new Map<string, string[]>();
  const recorded = new Map<string, number>();
  const snapshots: { atMs: number; snapshot: Snapshot }[] = [];
  const calls: Call[] = [];
  let stale: Call[] = []; // Given up by the caller, still on their way.
  let spawned = 0;
  let isHealing = false;
  let answers = 0;
  let wrongAnswer: Error | undefined;
  let supervisor = startSupervisor();
  let workers: Worker[] = Array.from({ length: SLOTS }, startWorker);

  function send<T>(run: () => T, isRead = false): Promise<T> {
    return new Promise((resolve, reject) => {
      calls.push({ atMs: clock.now(), isRead, run, resolve: resolve as Call["resolve"], reject });
    });
  }
  const apply: CounterStore["apply"] = (producer, batch) =>
    send(() => store.apply(producer, batch));
  const forget: CounterStore["forget"] = (producer, ids) => send(() => store.forget(producer, ids));

  function openJournal(producer: string): Journal | undefined {
    const file = files.get(producer);
    return file && journalOver(file.bytes, readNames(file.entries));
  }

  function copyJournal(producer: string): RingCopy {
    const { bytes, entries } = files.get(producer)!;
    const read = (into: Uint8Array, at: number) => into.set(bytes.subarray(at, at + into.length));
    return copyRing({ read, ringWords: RING_WORDS, names: readNames(entries), close: () => {} });
  }

  function takeFile(producer: string): string[] {
    const names = files.get(producer)!.entries.map((entry) => entry.supplyId);
    files.delete(producer);
    return names;
  }

  function startWorker(): Worker {
    const producer = `p${++spawned}`;
    const file = { bytes: new Uint8Array(journalBytes(RING_WORDS)), entries: [] };
    files.set(producer, file);
    const journal = journalOver(file.bytes, writeNames(file.entries));
    const worker: Worker = {
      producer,
      isAlive: true,
      recorder: undefined as never,
      counters: undefined as never,
    };
    const unlessDead = <T>(run: () => Promise<T>): Promise<T> =>
      worker.isAlive ? onlyWhile(() => worker.isAlive, run()) : new Promise(() => {});
    worker.counters = createCurrentCounters({
      journals: { producers: () => [...files.keys()], copy: copyJournal },
      store: { read: () => unlessDead(() => send(store.read, true)) },
      countAll: (isStoreBack) => unlessDead(() => countAll(isStoreBack)),
      now: clock.now,
    });
    worker.recorder = createRecorder({
      journal,
      counter: createJournalCounter({
        journal,
        producer,
        apply: (name, batch) => unlessDead(() => apply(name, batch)),
        onLost: () => {},
        onWentBack: () => {},
        onRefused: () => {},
      }),
      flushMs: FLUSH_MS,
      onChange: () => {},
      onUnnamed: () => {},
      now: clock.now,
      every: (ms, run) => clock.every(ms, () => worker.isAlive && run()),
    });
    return worker;
  }

  function startSupervisor(): Recovery & { isAlive: boolean } {
    const own = { isAlive: true };
    /** A dead process sends nothing, and hears of nothing that it sent. */
    const unlessDead = <T>(run: () => Promise<T>): Promise<T> =>
      own.isAlive ? onlyWhile(() => own.isAlive, run()) : new Promise(() => {});
    const recovery = createRecovery({
      journals: {
        producers: () => [...files.keys()],
        open: openJournal,
        retire: (producer) => void retired.set(producer, takeFile(producer)),
        retired: () => [...retired].map(([producer, supplyIds]) => ({ producer, supplyIds })),
        remove: (producer) => void retired.delete(producer),
      },
      store: {
        apply: (producer, batch) => unlessDead(() => apply(producer, batch)),
        forget: (producer, ids) => unlessDead(() => forget(producer, ids)),
      },
      onRecovered: () => {},
      onLost: () => {},
      onWentBack: () => {},
      onForgotten: () => {},
      onFault: () => {},
      wait: (ms) => unlessDead(() => clock.wait(ms)),
    });
    return Object.assign(own, recovery);
  }

  async function countAll(isStoreBack: boolean): Promise<void> {
    if (isStoreBack) recheckAll();
    await Promise.all(workers.map(({ recorder }) => recorder.drain()));
    await supervisor.settled();
  }

  /** Whatever was recorded before must be in the answer, if there is one, and nothing else. */
  function askForStatistics(): void {
    const before = new Map(recorded);
    const ids = random() < 0.3 ? [pick(supplies).id] : supplies.map(({ id }) => id);
    pick(workers)
      .counters.read(ids.length === 1 ? ids : undefined)
      .then(
        (counters) => {
          answers++;
          for (const id of ids) checkAnswer(id, before.get(id) ?? 0, counters.get(id));
        },
        () => {}, // As a 503.
      );
  }

  function checkAnswer(id: string, before: number, counters: Counters | undefined): void {
    const numberOf = (field: string) => Number(counters?.get(field) ?? 0);
    const total = numberOf(TOTAL);
    const sum = COUNTRIES.reduce((all, country) => all + numberOf(countryField(country)), 0);
    const now = recorded.get(id) ?? 0;
    const isRight = total >= before && total <= now && sum === total;
    if (isRight) return;
    wrongAnswer ??= new Error(`${id}: said ${total} in ${sum}, recorded ${before} to ${now}`);
  }

  function record(): void {
    const supply = pick(supplies);
    const country = pick(COUNTRIES);
    const eligible = supply.eligible.get(country) ?? [];
    const states = eligible.map(() => pick(Object.values(BidderState)));
    const winner = eligible.find((_, i) => states[i] === BidderState.bid) ?? -1;
    const clearingPriceMicros = winner < 0 ? 0 : 10_000;
    try {
      const offered = { supply, country, catalogVersion: 1, eligible };
      pick(workers).recorder.record({ ...offered, states, winner, clearingPriceMicros });
    } catch {
      return; // The ring is full: the client got a 503.
    }
    recorded.set(supply.id, (recorded.get(supply.id) ?? 0) + 1);
  }

  function killWorker(): void {
    const slot = Math.floor(random() * SLOTS);
    const { producer } = workers[slot]!;
    workers[slot]!.isAlive = false;
    supervisor.recover(producer);
    workers[slot] = startWorker();
  }

  function killSupervisor(): void {
    for (const worker of workers) worker.isAlive = false;
    supervisor.isAlive = false;
    supervisor = startSupervisor();
    supervisor.recoverAll();
    workers = Array.from({ length: SLOTS }, startWorker);
  }

  function goBack(): void {
    const recent = snapshots.filter(({ atMs }) => atMs >= clock.now() - STALE_MS);
    if (recent.length === 0) return;
    store.restore(pick(recent).snapshot);
    // The connections broke: whatever was read on them is gone.
    for (const { isRead, reject } of calls) if (isRead) reject(new Error("the connection broke"));
    calls.splice(0, calls.length, ...calls.filter(({ isRead }) => !isRead));
    reconnect();
  }

  function reconnect(): void {
    for (const worker of workers) worker.counters.doubt();
    recheckAll();
  }

  function recheckAll(): void {
    for (const worker of workers) worker.recorder.recheck();
    supervisor.recheck();
  }

  function deliver(): void {
    if (stale.length > 0 && random() < 0.3) return deliverLate();
    if (calls.length === 0) return;
    const call = takeAny(calls);
    const isTooOld = call.atMs < clock.now() - STALE_MS;
    const fate = isTooOld ? 0 : isHealing ? 1 : random();
    if (fate < 0.1) call.reject(new Error("lost on the way there"));
    else if (fate < 0.2) {
      call.run();
      call.reject(new Error("the reply was lost"));
    } else if (fate < 0.3) {
      stale.push(call);
      call.reject(new Error("not answered in time"));
    } else call.resolve(call.run());
  }

  function deliverLate(): void {
    const call = takeAny(stale);
    if (call.atMs >= clock.now() - STALE_MS) call.run();
  }

  const takeAny = (from: Call[]) => from.splice(Math.floor(random() * from.length), 1)[0]!;

  async function step(): Promise<void> {
    if (asks && random() < 0.05) askForStatistics();
    const dice = random();
    if (dice < 0.45) record();
    else if (dice < 0.75) deliver();
    else if (dice < 0.93) await clock.advance(random() * 600);
    else if (dice < 0.96) snapshots.push({ atMs: clock.now(), snapshot: store.snapshot() });
    else if (dice < 0.975) killWorker();
    else if (dice < 0.98) killSupervisor();
    else if (dice < 0.99) goBack();
    else
      pick(workers)
        .recorder.drain()
        .catch(() => {});
    await settle();
  }

  async function heal(): Promise<void> {
    isHealing = true;
    stale = [];
    reconnect();
    for (let round = 0; round < 100; round++) {
      while (calls.length > 0) {
        deliver();
        await settle();
      }
      await clock.advance(FLUSH_MS);
      if (round > 60 && calls.length === 0) return;
    }
    throw new Error("never at rest");
  }

  function check(isHealed: boolean): void {
    if (wrongAnswer) throw wrongAnswer;
    for (const { id } of supplies) {
      const total = store.get(id, TOTAL);
      const perCountry = COUNTRIES.map((country) => store.get(id, countryField(country)));
      const sum = perCountry.reduce((a, b) => a + b, 0);
      const said = recorded.get(id) ?? 0;
      if (sum !== total) throw new Error(`${id}: countries ${sum}, total ${total}`);
      if (total > said) throw new Error(`${id}: counted ${total}, recorded ${said}`);
      if (isHealed && total !== said) throw new Error(`${id}: counted ${total} of ${said}`);
    }
  }

  return {
    step,
    heal,
    check,
    answers: () => answers,
    recordedTotal: () => [...recorded.values()].reduce((a, b) => a + b, 0),
  };
}

/** mulberry32: small, seeded, good enough to choose what happens next. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function onlyWhile<T>(isAlive: () => boolean, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(
      (value) => isAlive() && resolve(value),
      (fault) => isAlive() && reject(fault),
    );
  });
}

function writeNames(entries: NamedSupply[]): Names {
  const of = (supply: Supply) => {
    const known = entries.find((entry) => entry.supplyId === supply.id);
    if (known) return known;
    const bidderIds = supply.bidders.map((bidder) => bidder.id);
    const entry = {
      number: entries.length,
      supplyId: supply.id,
      bidderIds,
      recorded: { count: 0 },
    };
    entries.push(entry);
    return entry;
  };
  return { ...readNames(entries), of };
}

function readNames(entries: readonly NamedSupply[]): Names {
  return {
    of: () => {
      throw new Error("read only");
    },
    at: (number) => entries[number],
    supplyIds: () => entries.map((entry) => entry.supplyId),
    close: () => {},
  };
}
