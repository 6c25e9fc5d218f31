import { type Repeat, repeat } from "../actor/repeat.ts";
import type { Supply } from "../catalog/catalog.ts";
import type { JournalCounter } from "./journal-counter.ts";
import type { AuctionOutcome } from "./outcome.ts";
import type { Journal } from "./ring.ts";

/**
 * How long a counted record is kept: beyond the two seconds that Redis may lose with
 * `appendfsync everysec`, and beyond a fail-over.
 */
export const RETENTION_MS = 10_000;
/** In a journal that is half full: with 70,000 auctions a second there is still room for more. */
const PRESSED_RETENTION_MS = 3_000;
/** Between two releases, since each asks the store about what it gives back. */
const RELEASE_EVERY_MS = 1_000;
/** Supplies prepared at once: some 10 ms of the event loop. */
const PREPARED_SUPPLIES_MAX = 1_000;
/** Room kept for auctions that were let in before the journal filled up. */
const RESERVED_RECORDS = 2_048;

export interface RecorderOptions {
  journal: Journal;
  counter: JournalCounter;
  /** Milliseconds between two flushes while there is something to count. */
  flushMs: number;
  /** Told when flushes begin to fail, with the first failure, and when they succeed again. */
  onChange: (failure: Error | undefined) => void;
  /** Told once after each `prepare`: the first supply that the disk refuses to take at its bid. */
  onUnnamed: (supplyId: string, fault: unknown) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
  every?: Repeat;
}

/** The statistics actor: its mailbox is the journal, its batch what was recorded since the last. */
export interface Recorder {
  /** Commits an outcome before its answer leaves. @throws Error when the journal is full */
  record(outcome: AuctionOutcome): void;
  /**
   * Writes down what records of these supplies need on the disk, so that no bid finds it full.
   * Of more than a thousand it takes the first: the others' turn comes with their first bid.
   * @throws Error when the disk refuses; the supplies that are left are tried when they are bid for
   */
  prepare(supplies: Iterable<Supply>): void;
  /** False when the journal is nearly full: no auction may begin. */
  hasRoom(): boolean;
  /** False when an auction of this supply could not be recorded: it may not begin. */
  canRecord(supply: Supply): boolean;
  /** Words of the journal that the store has not confirmed yet. */
  backlog(): number;
  /** Resolves when everything recorded before the call is counted. @throws as `countUpTo` */
  drain(): Promise<void>;
  /** Supplies whose counters refuse: their records wait in the journal, and fill it. */
  refusedSupplies(): string[];
  /** Has the next flush ask the store whether it still holds what it confirmed. */
  recheck(): void;
  /** Ends the flushes, after a last one. @throws Error when that could not be counted */
  stop(): Promise<void>;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { journal, counter, flushMs, onChange, onUnnamed } = options;
  const { now = () => performance.now(), every = repeat } = options;
  const kept: { position: number; countedAtMs: number }[] = [];
  let lastFlush: Promise<void> = Promise.resolve();
  let isFlushQueued = false;
  let isFailing = false;
  let timesBack = 0;
  let hasToldUnnamed = false;
  const stopTicking = every(flushMs, tick);

  function tick(): void {
    const isCounted = journal.committed() === counter.counted() && counter.isSure();
    if (isFlushQueued || (isCounted && !isReleaseDue())) return;
    drain().catch(() => {}); // `onChange` has told it; the next tick tries again.
  }

  /** Flushes never overlap; a drain takes in all that is recorded when its turn comes. */
  function drain(): Promise<void> {
    isFlushQueued = true;
    const flushed = lastFlush.then(flush);
    flushed.then(
      () => tellChange(undefined),
      (failure: Error) => tellChange(failure),
    );
    lastFlush = flushed.catch(() => {}); // The caller reports it; the next flush must still run.
    return flushed;
  }

  function tellChange(failure: Error | undefined): void {
    if (isFailing === (failure !== undefined)) return;
    isFailing = failure !== undefined;
    onChange(failure);
  }

  async function flush(): Promise<void> {
    isFlushQueued = false;
    const position = journal.committed();
    // Released is what the store still holds after the retention, however long it was away.
    const below = isReleaseDue() ? keptFor(retentionMs()) : undefined;
    if (below !== undefined) counter.recheckBelow(below);
    await counter.countUpTo(position);
    journal.tellCounted(counter.counted());
    if (counter.timesBack() > timesBack) kept.length = 0; // All of it was counted again just now.
    timesBack = counter.timesBack();
    if (below !== undefined) release(below);
    const last = kept[kept.length - 1];
    if (position > (last?.position ?? journal.tail())) {
      kept.push({ position, countedAtMs: now() });
    }
  }

  const retentionMs = () => (journal.isHalfFull() ? PRESSED_RETENTION_MS : RETENTION_MS);

  function isReleaseDue(): boolean {
    const [oldest] = kept;
    const keptMs = retentionMs() + RELEASE_EVERY_MS;
    return oldest !== undefined && oldest.countedAtMs <= now() - keptMs;
  }

  /** The position below which everything was counted so long ago. */
  function keptFor(ms: number): number {
    const countedBeforeMs = now() - ms;
    return kept.findLast(({ countedAtMs }) => countedAtMs <= countedBeforeMs)?.position ?? 0;
  }

  function release(below: number): void {
    let to: number | undefined;
    while (kept.length > 0 && kept[0]!.position <= below) to = kept.shift()!.position;
    if (to !== undefined) journal.release(to);
  }

  const hasRoom = () => journal.hasRoom(RESERVED_RECORDS);

  function canRecord(supply: Supply): boolean {
    if (!hasRoom()) return false;
    try {
      journal.name(supply);
      return true;
    } catch (fault) {
      if (!hasToldUnnamed) onUnnamed(supply.id, fault);
      hasToldUnnamed = true;
      return false;
    }
  }

  async function stop(): Promise<void> {
    stopTicking();
    await drain();
  }

  return {
    record: journal.append,
    prepare(supplies) {
      hasToldUnnamed = false;
      let left = PREPARED_SUPPLIES_MAX;
      for (const supply of supplies) {
        if (left-- === 0) return;
        journal.name(supply);
      }
    },
    hasRoom,
    canRecord,
    backlog: () => journal.committed() - counter.counted(),
    drain,
    recheck: counter.recheck,
    refusedSupplies: counter.refusedSupplies,
    stop,
  };
}
