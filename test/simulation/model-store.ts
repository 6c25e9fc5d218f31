import { offsetField } from "../../src/store/counters.ts";
import type { ApplyReply, Counters, SupplyIncrements } from "../../src/store/store.ts";

/** What the store promises, in the fewest lines: the model that the simulation counts with. */
export interface ModelStore {
  apply(producer: string, batch: readonly SupplyIncrements[]): ApplyReply[];
  forget(producer: string, supplyIds: readonly string[]): void;
  read(): Map<string, Counters>;
  /** A copy to go back to, as a restarted Redis does. */
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
  get(supplyId: string, field: string): number;
}

export type Snapshot = ReadonlyMap<string, ReadonlyMap<string, number>>;

export function createModelStore(): ModelStore {
  let data = new Map<string, Map<string, number>>();

  function applyOne(producer: string, part: SupplyIncrements): number {
    const fields = data.get(part.supplyId) ?? new Map<string, number>();
    data.set(part.supplyId, fields);
    const offset = fields.get(offsetField(producer)) ?? 0;
    if (offset !== part.from) return offset;
    for (const [field, by] of part.increments) fields.set(field, (fields.get(field) ?? 0) + by);
    fields.set(offsetField(producer), part.to);
    return part.to;
  }

  const copy = (from: Snapshot) => new Map([...from].map(([id, fields]) => [id, new Map(fields)]));

  return {
    apply: (producer, batch) => batch.map((part) => applyOne(producer, part)),
    forget(producer, supplyIds) {
      for (const id of supplyIds) data.get(id)?.delete(offsetField(producer));
    },
    read: () =>
      new Map(
        [...data].map(([id, fields]) => [id, new Map([...fields].map(([f, v]) => [f, `${v}`]))]),
      ),
    snapshot: () => copy(data),
    restore(snapshot) {
      data = copy(snapshot);
    },
    get: (supplyId, field) => data.get(supplyId)?.get(field) ?? 0,
  };
}
