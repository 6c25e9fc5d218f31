import type { Windows } from "../store/embedded/windows.ts";
import type { Limiter } from "./limiter.ts";

/** A limiter whose windows are in the memory of this host: every verdict is at hand. */
export function createWindowsLimiter({ admit }: Windows): Limiter {
  return {
    admit(client) {
      try {
        const { granted, remaining, resetMs } = admit(client);
        return { isAdmitted: granted === 1, remaining, resetMs };
      } catch (fault) {
        return Promise.reject(fault); // As any limiter that has no verdict.
      }
    },
    hasRoom: () => true, // Nobody waits.
  };
}
