import type { CounterStore } from "../store.ts";
import type { CounterFile } from "./counters.ts";

/** The store of one host, inside the process that owns it. */
export function createEmbeddedStore(counters: CounterFile): CounterStore {
  return {
    apply: async (producer, batch) => counters.apply(producer, batch),
    read: async (supplyIds) => counters.read(supplyIds),
    forget: async (producer, supplyIds) => counters.forget(producer, supplyIds),
    ping: async () => {},
    close: counters.close,
  };
}
