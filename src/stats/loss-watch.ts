import { offsetField, TOTAL } from "../store/counters.ts";
import type { CounterStore, Counters } from "../store/store.ts";

/** Supplies that are read in one look. */
const LOOKED_AT_MAX = 1_000;

export interface LossWatchOptions {
  read: CounterStore["read"];
  /** Whether a producer is one of this supervisor's own. */
  isOwn: (producer: string) => boolean;
  /** Auctions that were counted and are in the store no more. */
  onLost: (auctions: bigint) => void;
}

/** Notices that a store came back without what it held, whoever counted it. */
export interface LossWatch {
  /**
   * Notes what the store holds, unless that is less than it was: then `compare` is due. Of many
   * supplies it takes a thousand, others each time: a store that is emptied lacks those as well.
   * @returns whether it is less. @throws Error when the store does not answer
   */
  look(): Promise<boolean>;
  /**
   * Compares what the store holds with the last note, and notes it: once every producer has
   * counted again what its journal holds.
   * @throws Error when the store does not answer
   */
  compare(): Promise<void>;
  /** Auctions found missing so far. Other hosts that count meanwhile may hide some. */
  lost(): bigint;
}

/**
 * What a supply's total holds beyond our own producers' offsets (earlier runs, other hosts) can
 * only grow. Where it shrank, that many auctions are gone; our own that could not be restored are
 * among them, because their offset went on without their increments.
 */
export function createLossWatch({ read, isOwn, onLost }: LossWatchOptions): LossWatch {
  let noted = new Map<string, bigint>();
  let last: Promise<unknown> = Promise.resolve();
  let lostEver = 0n;
  const ownPrefix = offsetField("");

  function beyondOwn(counters: Counters): bigint {
    let rest = BigInt(counters.get(TOTAL) ?? "0");
    for (const [field, value] of counters) {
      if (!field.startsWith(ownPrefix)) continue;
      if (isOwn(field.slice(ownPrefix.length))) rest -= BigInt(value);
    }
    return rest;
  }

  async function readNow(supplyIds?: readonly string[]): Promise<Map<string, bigint>> {
    const counted = await read(supplyIds);
    return new Map([...counted].map(([id, counters]) => [id, beyondOwn(counters)]));
  }

  function missingIn(found: ReadonlyMap<string, bigint>, among: Iterable<string>): bigint {
    let missing = 0n;
    for (const supplyId of among) {
      // Of a supply that is new here, none were counted before we began.
      const less = (noted.get(supplyId) ?? 0n) - (found.get(supplyId) ?? 0n);
      if (less > 0n) missing += less;
    }
    return missing;
  }

  async function look(): Promise<boolean> {
    const due = noted.size > LOOKED_AT_MAX ? [...noted.keys()].slice(0, LOOKED_AT_MAX) : undefined;
    const found = await readNow(due);
    if (missingIn(found, due ?? union(noted, found)) > 0n) return true;
    for (const [supplyId, auctions] of found) {
      noted.delete(supplyId); // Behind those whose turn is next.
      noted.set(supplyId, auctions);
    }
    return false;
  }

  async function compare(): Promise<void> {
    const found = await readNow();
    const lost = missingIn(found, union(noted, found));
    noted = found;
    if (lost === 0n) return;
    lostEver += lost;
    onLost(lost);
  }

  /** One after the other: what was read before another's note must not be taken for news. */
  function inTurn<T>(job: () => Promise<T>): Promise<T> {
    const done = last.then(job);
    last = done.catch(() => {}); // Whoever called is told.
    return done;
  }

  return { look: () => inTurn(look), compare: () => inTurn(compare), lost: () => lostEver };
}

const union = (one: ReadonlyMap<string, bigint>, other: ReadonlyMap<string, bigint>) =>
  new Set([...one.keys(), ...other.keys()]);

/** Records that are lost, of each supply, as a log line has them: a line for each would be many. */
export function describeLosses(losses: ReadonlyMap<string, number>) {
  const [supply] = losses.keys();
  const records = [...losses.values()].reduce((sum, count) => sum + count, 0);
  return { supplies: losses.size, supply, records };
}
