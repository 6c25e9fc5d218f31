import { within } from "../../actor/within.ts";
import { partsOf, SUPPLIES_PER_CALL } from "../parts.ts";
import {
  type ApplyReply,
  CounterError,
  type CounterStore,
  type SupplyIncrements,
} from "../store.ts";

/** What crosses between processes: JSON, so maps are pairs and refusals are messages. */
type WirePart = Omit<SupplyIncrements, "increments"> & { increments: [string, number][] };
type WireReply = number | { refused: string };
type WireCounters = [supplyId: string, fields: [string, string][]][];

interface WireCalls {
  apply: { argument: { producer: string; batch: WirePart[] }; result: WireReply[] };
  read: { argument: readonly string[] | null; result: WireCounters };
  forget: { argument: { producer: string; supplyIds: readonly string[] }; result: null };
  ping: { argument: null; result: null };
}

/** Calls another process's store by name. */
export type StoreCall = (name: string, argument: unknown) => Promise<unknown>;

const PREFIX = "store.";
/** The other process is on this host: one that takes longer hangs. */
const DEADLINE_MS = 1_000;

/** The store of another process, as seen from here. */
export function createRemoteStore(send: StoreCall): CounterStore {
  const call = <Name extends keyof WireCalls>(
    name: Name,
    argument: WireCalls[Name]["argument"],
  ): Promise<WireCalls[Name]["result"]> =>
    within(send(PREFIX + name, argument) as Promise<WireCalls[Name]["result"]>, DEADLINE_MS, name);

  return {
    async apply(producer, batch) {
      const replies: ApplyReply[] = [];
      // Between two parts the other process answers others, and hears who is alive.
      for (const some of partsOf(batch, SUPPLIES_PER_CALL)) {
        const wire = some.map((part) => ({ ...part, increments: [...part.increments] }));
        for (const reply of await call("apply", { producer, batch: wire })) {
          replies.push(typeof reply === "number" ? reply : new CounterError(reply.refused));
        }
      }
      return replies;
    },
    async read(supplyIds) {
      const counters = await call("read", supplyIds ?? null);
      return new Map(counters.map(([id, fields]) => [id, new Map(fields)]));
    },
    async forget(producer, supplyIds) {
      await call("forget", { producer, supplyIds });
    },
    async ping() {
      await call("ping", null);
    },
    close: () => {},
  };
}

/** Whether a call is one of `createRemoteStore`'s. */
export const isStoreCall = (name: string) => name.startsWith(PREFIX);

/** Answers what `createRemoteStore` sends, from the store itself. */
export async function answerStoreCall(store: CounterStore, name: string, argument: unknown) {
  switch (name.slice(PREFIX.length)) {
    case "apply": {
      const { producer, batch } = argument as WireCalls["apply"]["argument"];
      const parts = batch.map((part) => ({ ...part, increments: new Map(part.increments) }));
      const replies = await store.apply(producer, parts);
      return replies.map((r) => (r instanceof Error ? { refused: r.message } : r));
    }
    case "read": {
      const counters = await store.read((argument as WireCalls["read"]["argument"]) ?? undefined);
      return [...counters].map(([id, fields]) => [id, [...fields]]);
    }
    case "forget": {
      const { producer, supplyIds } = argument as WireCalls["forget"]["argument"];
      await store.forget(producer, supplyIds);
      return null;
    }
    case "ping":
      await store.ping();
      return null;
    default:
      throw new Error(`no store call ${name}`);
  }
}
