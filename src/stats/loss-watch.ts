import { offsetField, TOTAL } from "../store/counters.ts";
import type { CounterStore, Counters } from "../store/store.ts";

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
   * Compares what the store holds with what it held at the last call, once every producer has
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

  async function readAll(): Promise<Map<string, bigint>> {
    const counted = await read();
    return new Map([...counted].map(([id, counters]) => [id, beyondOwn(counters)]));
  }

  async function compare(): Promise<void> {
    const found = await readAll();
    let lost = 0n;
    // Of a supply that is new here, none were counted before we began.
    for (const supplyId of new Set([...noted.keys(), ...found.keys()])) {
      const missing = (noted.get(supplyId) ?? 0n) - (found.get(supplyId) ?? 0n);
      if (missing > 0n) lost += missing;
    }
    noted = found;
    if (lost === 0n) return;
    lostEver += lost;
    onLost(lost);
  }

  return { compare, lost: () => lostEver };
}

/** Records that are lost, of each supply, as a log line has them: a line for each would be many. */
export function describeLosses(losses: ReadonlyMap<string, number>) {
  const [supply] = losses.keys();
  const records = [...losses.values()].reduce((sum, count) => sum + count, 0);
  return { supplies: losses.size, supply, records };
}
