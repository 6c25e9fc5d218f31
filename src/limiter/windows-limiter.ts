import type { Windows } from "../store/embedded/windows.ts";
import type { Limiter, Verdict } from "./limiter.ts";

/** A limiter whose windows are in the memory of this host: every verdict is at hand. */
export function createWindowsLimiter(windows: Pick<Windows, "admit">): Limiter {
  function decide(client: string): Verdict {
    const { granted, remaining, resetMs } = windows.admit(client);
    return { isAdmitted: granted === 1, remaining, resetMs };
  }

  return {
    admit(client) {
      try {
        return decide(client);
      } catch {
        return undefined; // Others were faster each time: `ask` tells it if they still are.
      }
    },
    ask(client, asker) {
      let verdict: Verdict;
      try {
        verdict = decide(client);
      } catch (fault) {
        return asker.onFault(fault);
      }
      asker.onReply(verdict);
    },
    hasRoom: () => true, // Nobody waits.
  };
}
