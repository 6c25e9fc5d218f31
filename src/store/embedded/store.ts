import type { Store } from "../store.ts";
import type { CounterFile } from "./counters.ts";
import type { Windows } from "./windows.ts";

/** The store of one host, inside the process that owns it. */
export function createEmbeddedStore(windows: Windows, counters: CounterFile): Store {
  return {
    admit: async (entries) => windows.admit(entries),
    restore: async (past) => windows.restore(past),
    apply: async (producer, batch) => counters.apply(producer, batch),
    read: async (supplyIds) => counters.read(supplyIds),
    forget: async (producer, supplyIds) => counters.forget(producer, supplyIds),
    ping: async () => {},
    close: counters.close,
  };
}
