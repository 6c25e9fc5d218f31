import { createShared } from "../actor/shared.ts";
import type { Store } from "../store/store.ts";
import type { JournalFolder } from "./journal.ts";
import { createJournalCounter } from "./journal-counter.ts";
import { RETENTION_MS } from "./recorder.ts";
import type { Journal } from "./ring.ts";

export interface RecoveryOptions {
  journals: Pick<JournalFolder, "producers" | "open" | "remove">;
  store: Store;
  onRecovered: (producer: string, words: number) => void;
  onLost: (supplyId: string, records: number) => void;
  /** A producer's offsets are dropped: what it counted is told apart no more. */
  onForgotten: () => void;
  onFault: (producer: string, fault: unknown) => void;
  wait?: (ms: number) => Promise<void>;
}

/** Counts what dead producers recorded and the store has not seen, then deletes their journals. */
export interface Recovery {
  /** Takes over the journals of producers that died before this supervisor began. */
  recoverAll(): void;
  /** Takes over the journal of a producer whose process has ended. */
  recover(producer: string): void;
  /** Resolves when nothing that a dead producer recorded is left to count. */
  settled(): Promise<void>;
  /** Counts every kept journal again: the store may have gone back. */
  recheck(): void;
  stop(): void;
}

const RETRY_MS = 250;

export function createRecovery(options: RecoveryOptions): Recovery {
  const { journals, store, onRecovered, onLost, onForgotten, onFault, wait = Bun.sleep } = options;
  const counting = new Set<Promise<void>>();
  const kept = new Map<string, () => Promise<void>>();
  let isStopped = false;

  function recoverAll(): void {
    for (const producer of journals.producers()) recover(producer);
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
      onRefused: (_supplyId, error) => onFault(producer, error),
    });
    const count = createShared(async () => {
      counter.recheck();
      await countUntilDone(producer, () => counter.countUpTo(journal.committed()));
    });
    kept.set(producer, count);
    const words = journal.committed() - journal.tail();
    track(count())
      .then(() => onRecovered(producer, words))
      // A store that comes back older within this time is made good from the journal.
      .then(() => wait(RETENTION_MS))
      .then(() => track(count()))
      .then(() => drop(producer, journal.supplyIds()))
      .catch((fault) => onFault(producer, fault));
  }

  async function countUntilDone(producer: string, count: () => Promise<void>): Promise<void> {
    for (let attempt = 0; !isStopped; attempt++) {
      try {
        return await count();
      } catch (fault) {
        if (attempt === 0) onFault(producer, fault);
        await wait(RETRY_MS);
      }
    }
    throw new Error("stopped; the journal stays for the next start");
  }

  async function drop(producer: string, supplyIds: readonly string[]): Promise<void> {
    await store.forget(producer, supplyIds);
    kept.delete(producer);
    journals.remove(producer);
    onForgotten();
  }

  function track(work: Promise<void>): Promise<void> {
    const done = work.finally(() => counting.delete(done));
    counting.add(done);
    return done;
  }

  async function settled(): Promise<void> {
    while (counting.size > 0) await Promise.all(counting);
  }

  function recheck(): void {
    for (const [producer, count] of kept) track(count()).catch((f) => onFault(producer, f));
  }

  function stop(): void {
    isStopped = true;
  }

  return { recoverAll, recover, settled, recheck, stop };
}
