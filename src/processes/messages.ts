import type { Config } from "../config.ts";

/** What a worker needs to begin. */
export interface StartOrder {
  config: Config;
  port: number;
  slot: number;
  /** Unique to this process start: the owner of its journal. */
  producer: string;
  journalPath: string;
  /** Whether the store answered the supervisor: else nobody waits for it again. */
  isStoreReady: boolean;
  /** The snapshot in force, now and whenever an order says so. */
  catalogPath: string;
  /** Admissions that all workers share; none where Redis keeps them or the limiter is off. */
  windowsPath: string | undefined;
}

/** From the supervisor. */
export type Order =
  | { type: "start"; order: StartOrder }
  /** Sent after `prepared`: from here on the worker may have answered somebody. */
  | { type: "listen" }
  /** The snapshot has been replaced: read it, then say `done`. */
  | { type: "catalog"; id: number }
  /**
   * Count everything that was answered so far, then say `done`; where the store holds less than
   * it confirmed, ask it for all of that again.
   */
  | { type: "drain"; id: number; isStoreBack: boolean }
  /** The answer to a `call`. */
  | { type: "reply"; id: number; result?: unknown; error?: string }
  | { type: "stop" };

/** From a worker. Any of them shows that it is alive. */
export type Report =
  | { type: "hello" }
  | { type: "prepared" }
  | { type: "ready" }
  | { type: "beat" }
  | { type: "done"; id: number; error?: string }
  | { type: "call"; id: number; name: string; argument: unknown }
  | { type: "fatal"; message: string };

// Calls a worker may make of the supervisor.
/** Has every worker count; its argument is whether the store went back. */
export const DRAIN_ALL = "drain-all";
/** Answers what the supervisor's monotonic clock says, milliseconds. */
export const CLOCK = "clock";
/** Answers why the catalog may be out of date; null: it is not. */
export const CATALOG_FAULT = "catalog-fault";
/** Answers how many counted auctions the store has lost. */
export const LOST = "lost";
/** Says that the store holds less than it did: how much less is the supervisor's to find out. */
export const STORE_WENT_BACK = "store-went-back";
