import type { Windows } from "../store/embedded/windows.ts";
import type { WindowStore } from "../store/store.ts";
import { createDenyCache } from "./deny-cache.ts";
import { createFallback, type Fallback, type FallbackOptions } from "./fallback.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import { createWindowsLimiter } from "./windows-limiter.ts";

export interface OpenLimiterOptions extends Omit<FallbackOptions, "store"> {
  /** Most requests that wait for a verdict. */
  capacity: number;
  /** Opens the store of the windows; none: they are in the memory of this host. */
  openStore: (() => WindowStore) | undefined;
  openWindows: () => Windows;
}

/** The limiter of one worker. */
export interface OpenedLimiter {
  /** None: it is off. */
  readonly limiter: Limiter | undefined;
  /** What becomes of limits where the store does not answer. */
  readonly withoutStore: "off" | "kept" | FallbackOptions["onStoreError"];
  /** Whether limits are decided without the store at the moment. */
  isFallbackActive(): boolean;
  stop(): void;
}

export function openLimiter(options: OpenLimiterOptions): OpenedLimiter {
  const { limit, openStore, openWindows, capacity, onStoreError } = options;
  if (limit.max === 0) return withoutFallback(undefined, "off");
  if (!openStore) return withoutFallback(createWindowsLimiter(openWindows()), "kept");
  const store = openStore();
  const { admit, isActive, stop }: Fallback = createFallback({ ...options, store });
  return {
    limiter: createLimiter({ admit, denied: createDenyCache(), capacity }),
    withoutStore: onStoreError,
    isFallbackActive: isActive,
    stop() {
      stop();
      store.close();
    },
  };
}

const withoutFallback = (
  limiter: Limiter | undefined,
  withoutStore: "off" | "kept",
): OpenedLimiter => ({ limiter, withoutStore, isFallbackActive: () => false, stop() {} });
