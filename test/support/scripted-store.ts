import { offsetField } from "../../src/store/counters.ts";
import {
  type ApplyReply,
  CounterError,
  type CounterStore,
  type SupplyIncrements,
} from "../../src/store/store.ts";
import { addTo, type Counted } from "./auctions.ts";

/**
 * What becomes of one call: `lost` is applied and its reply is not, `unsent` is not applied, `late`
 * is applied when `deliverLate` says so, as bytes in the socket of a process that is gone.
 */
export type Fate = "answered" | "lost" | "unsent" | "late";

/** The compare and set of the contract, with every fault that a store may have, by script. */
export interface ScriptedStore {
  apply(producer: string, batch: readonly SupplyIncrements[]): Promise<ApplyReply[]>;
  forget(producer: string, supplyIds: readonly string[]): Promise<void>;
  read: CounterStore["read"];
  /** What becomes of the next calls, in order; then all are answered. */
  readonly fates: Fate[];
  /** Supplies whose counters refuse. */
  readonly poisoned: Set<string>;
  /** Runs once, after the next call was applied and before it is answered. */
  beforeReply: (() => void) | undefined;
  /** Every call of `apply`, answered or not. */
  readonly calls: (readonly SupplyIncrements[])[];
  deliverLate(): void;
  /** A copy to go back to. */
  snapshot(): Counted;
  goBackTo(snapshot: Counted): void;
  /** The counters without offsets. */
  counted(): Counted;
  offset(producer: string, supplyId: string): number;
}

const copy = (from: Counted): Counted =>
  new Map([...from].map(([id, fields]) => [id, new Map(fields)]));

export function createScriptedStore(): ScriptedStore {
  let data: Counted = new Map();
  let late: (() => void)[] = [];
  const fates: Fate[] = [];
  const poisoned = new Set<string>();
  const calls: (readonly SupplyIncrements[])[] = [];

  const offset = (producer: string, supplyId: string) =>
    Number(data.get(supplyId)?.get(offsetField(producer)) ?? 0n);

  function applyOne(producer: string, part: SupplyIncrements): ApplyReply {
    const { supplyId, from, to, increments } = part;
    if (poisoned.has(supplyId)) return new CounterError(`${supplyId} is poisoned`);
    const stored = offset(producer, supplyId);
    if (stored !== from) return stored;
    for (const [field, by] of increments) addTo(data, supplyId, field, BigInt(by));
    addTo(data, supplyId, offsetField(producer), BigInt(to - from));
    return to;
  }

  /** Settles some turns later, so that callers interleave as they do with a real store. */
  async function settle<Reply>(run: () => Reply): Promise<Reply> {
    const fate = fates.shift() ?? "answered";
    await Promise.resolve();
    const reply = fate === "answered" || fate === "lost" ? run() : undefined;
    if (fate === "late") late.push(run);
    await Promise.resolve();
    const { beforeReply } = store;
    store.beforeReply = undefined;
    beforeReply?.();
    if (fate !== "answered") throw new Error(`store: ${fate}`);
    return reply!;
  }

  const store: ScriptedStore = {
    beforeReply: undefined,
    fates,
    poisoned,
    calls,
    apply(producer, batch) {
      calls.push(batch);
      return settle(() => batch.map((part) => applyOne(producer, part)));
    },
    forget(producer, supplyIds) {
      return settle(() => {
        for (const id of supplyIds) data.get(id)?.delete(offsetField(producer));
      });
    },
    read(supplyIds) {
      return settle(() => {
        const ids = supplyIds ?? [...data.keys()];
        const digits = (id: string) =>
          [...(data.get(id) ?? [])].map(([f, v]) => [f, `${v}`] as const);
        return new Map(ids.map((id) => [id, new Map(digits(id))]));
      });
    },
    deliverLate() {
      for (const run of late) run();
      late = [];
    },
    snapshot: () => copy(data),
    goBackTo(snapshot) {
      data = copy(snapshot);
    },
    counted() {
      const counted: Counted = new Map();
      for (const [supplyId, fields] of data) {
        for (const [field, value] of fields) {
          if (!field.startsWith(offsetField(""))) addTo(counted, supplyId, field, value);
        }
      }
      return counted;
    },
    offset,
  };
  return store;
}
