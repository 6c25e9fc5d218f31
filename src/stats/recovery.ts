import { createShared } from "../actor/shared.ts";
import type { CounterStore } from "../store/store.ts";
import type { JournalFolder } from "./journal.ts";
import { createJournalCounter, type JournalCounterOptions } from "./journal-counter.ts";
import { RETENTION_MS } from "./recorder.ts";
import type { Journal } from "./ring.ts";

export interface RecoveryOptions {
  journals: Pick<JournalFolder, "producers" | "open" | "retire" | "retired" | "remove">;
  store: Pick<CounterStore, "apply" | "forget">;
  onRecovered: (producer: string, words: number) => void;
  onLost: JournalCounterOptions["onLost"];
  onWentBack: () => void;
  /** A producer's offsets are dropped: what it counted is told apart no more. */
  onForgotten: () => void;
  onFault: (producer: string, fault: unknown) => void;
  wait?: (ms: number) => Promise<void>;
}

/** Counts what dead producers recorded and the store has not seen, then deletes their journals. */
export interface Recovery {
  /**
   * Takes over the journals of an earlier supervisor. Where that was killed, its workers may still
   * be finishing their auctions: their journals are read on until nothing comes any more.
   */
  recoverAll(): void;
  /** Takes over the journal of a producer whose process has ended. */
  recover(producer: string): void;
  /** Resolves when everything is counted that was recorded, before the call, by such producers. */
  settled(): Promise<void>;
  /** Counts every kept journal again: the store may have gone back. */
  recheck(): void;
  stop(): void;
}

const RETRY_MS = 250;

/** A journal that was taken over and is not deleted yet. */
interface Kept {
  hasMore(): boolean;
  /** Has the next count ask the store whether it still holds what it confirmed. */
  recheck(): void;
  count(): Promise<void>;
}

export function createRecovery(options: RecoveryOptions): Recovery {
  const { journals, store, onRecovered, onLost, onWentBack, onForgotten, onFault } = options;
  const { wait = Bun.sleep } = options;
  const counting = new Set<Promise<void>>();
  const kept = new Map<string, Kept>();
  let isStopped = false;

  function recoverAll(): void {
    for (const producer of journals.producers()) recover(producer);
    // A predecessor ended between retiring and forgetting: their offsets are all that is left.
    for (const { producer, supplyIds } of journals.retired()) forget(producer, supplyIds);
  }

  function recover(producer: string): void {
    try {
      const journal = journals.open(producer);
      if (journal) keep(producer, journal);
      else journals.remove(producer);
    } catch (fault) {
      onFault(producer, fault);
    }
  }

  function keep(producer: string, journal: Journal): void {
    const counter = createJournalCounter({
      journal,
      producer,
      apply: store.apply,
      onLost,
      onWentBack,
      onRefused: (_supplyId, error) => onFault(producer, error),
    });
    let isClosed = false;
    const count = createShared(async () => {
      if (isClosed) return;
      await retryUntilDone(producer, () => counter.countUpTo(journal.committed()));
      journal.tellCounted(counter.counted()); // GET /stat need not add it up again.
    });
    const hasMore = () => journal.committed() > counter.counted();
    kept.set(producer, { hasMore, recheck: counter.recheck, count });
    // Read once: a producer that lives after all moves both.
    const tail = journal.tail();
    const committed = journal.committed();
    const words = committed - tail;
    const readable = journal.scan(tail, committed, () => {}) - tail;
    if (readable < words) {
      onFault(producer, new Error(`${words - readable} words behind a torn record are lost`));
    }
    track(count())
      .then(() => onRecovered(producer, words))
      .then(keepUntilCalm)
      .then(close)
      .catch((fault) => onFault(producer, fault));

    /**
     * A store that comes back older within this time is made good from the journal. A producer
     * that still recorded something within it is not dead.
     */
    async function keepUntilCalm(): Promise<void> {
      let timesBack: number;
      let counted: number;
      do {
        timesBack = counter.timesBack();
        counted = counter.counted();
        await wait(RETENTION_MS);
        counter.recheck();
        await track(count());
      } while (counter.timesBack() > timesBack || counter.counted() > counted);
    }

    /** From here on nobody counts from it: its offsets are about to go, and with them the guard. */
    async function close(): Promise<void> {
      isClosed = true;
      kept.delete(producer);
      await count(); // A recheck that is running finishes first.
      journals.retire(producer);
      forget(producer, journal.supplyIds());
    }
  }

  /** Only for a journal that is gone: one that is left could be counted again. */
  function forget(producer: string, supplyIds: readonly string[]): void {
    retryUntilDone(producer, () => store.forget(producer, supplyIds))
      .then(() => {
        journals.remove(producer);
        onForgotten();
      })
      .catch((fault) => onFault(producer, fault));
  }

  async function retryUntilDone(producer: string, job: () => Promise<void>): Promise<void> {
    for (let attempt = 0; !isStopped; attempt++) {
      try {
        return await job();
      } catch (fault) {
        if (attempt === 0) onFault(producer, fault);
        await wait(RETRY_MS);
      }
    }
    throw new Error("stopped; the rest is for the next start");
  }

  function track(work: Promise<void>): Promise<void> {
    const done = work.finally(() => counting.delete(done));
    counting.add(done);
    return done;
  }

  async function settled(): Promise<void> {
    for (const { hasMore, count } of kept.values()) if (hasMore()) track(count());
    while (counting.size > 0) await Promise.all(counting);
  }

  function recheck(): void {
    for (const [producer, { recheck, count }] of kept) {
      recheck();
      track(count()).catch((fault) => onFault(producer, fault));
    }
  }

  function stop(): void {
    isStopped = true;
  }

  return { recoverAll, recover, settled, recheck, stop };
}
