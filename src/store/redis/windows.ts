import { within } from "../../actor/within.ts";
import { partsOf } from "../parts.ts";
import type {
  AdmitEntry,
  AdmitResult,
  PastAdmissions,
  WindowLimit,
  WindowStore,
} from "../store.ts";
import { admissionsKey } from "./keys.ts";
import type { LimiterConnection } from "./limiter-connection.ts";
import admitSource from "./lua/admit.lua" with { type: "text" };
import restoreSource from "./lua/restore.lua" with { type: "text" };
import { createScript } from "./script.ts";

const admitScript = createScript(admitSource);
const restoreScript = createScript(restoreSource);

/** Clocks drift by some milliseconds in this time, far below the deadline of an admission. */
const CLOCK_EVERY_MS = 30_000;
/** Clients whose admissions one call puts back: below 2 ms of Redis's time. */
const CLIENTS_PER_RESTORE = 256;

export interface RedisWindowsOptions {
  /** Opens a connection for admissions alone: they never queue behind statistics. */
  connect: (onReady: () => void) => LimiterConnection;
  limit: WindowLimit;
  /** Unique to this process: it makes the members of the windows unique. */
  producer: string;
  /** Milliseconds that an admission may take before it is given up. */
  admitDeadlineMs: number;
  /** Milliseconds that any other call may take. */
  deadlineMs: number;
}

/** The limiter's windows on one Redis server. */
export function createRedisWindows(options: RedisWindowsOptions): WindowStore {
  const { connect, limit, producer, admitDeadlineMs, deadlineMs } = options;
  const window = [String(limit.max), String(limit.windowMs * 1000)] as const;
  const firstInWindow = { granted: 1, remaining: limit.max - 1, resetMs: limit.windowMs };
  let batches = 0;
  /** A reading of Redis's clock: made between these two moments of ours. */
  let serverClock: { us: number; sentMs: number; answeredMs: number } | undefined;
  // Known before the first admission, so that even that one carries a deadline.
  const connection = connect(readServerClock);
  const clockTimer = setInterval(readServerClock, CLOCK_EVERY_MS);

  async function readServerClock(): Promise<void> {
    const sentMs = performance.now();
    const call = connection.call("TIME", []) as Promise<[seconds: string, us: string]>;
    const time = await within(call, deadlineMs, "time").catch(() => undefined);
    if (!time) return; // Away or silent.
    const [seconds, us] = time;
    noteServerClock(Number(seconds) * 1e6 + Number(us), sentMs);
  }

  function noteServerClock(us: number, sentMs: number): void {
    serverClock = { us, sentMs, answeredMs: performance.now() };
  }

  /** Redis's clock after `aheadMs`, at the earliest; "0" when nothing is known of it. */
  function earliestServerUs(aheadMs: number): string {
    if (!serverClock) return "0";
    return toServerUs(serverClock.us, performance.now() + aheadMs - serverClock.answeredMs);
  }

  /** Redis's clock now, at the latest. */
  function latestServerUs(): string {
    if (!serverClock) return "0";
    return toServerUs(serverClock.us, performance.now() - serverClock.sentMs);
  }

  async function admit(entries: readonly AdmitEntry[]): Promise<readonly AdmitResult[]> {
    batches++;
    const keys = entries.map((entry) => admissionsKey(entry.client));
    // Nobody waits for the call any more then, so it must not use quota.
    const deadlineUs = earliestServerUs(admitDeadlineMs);
    const args = [...window, deadlineUs, `${producer}.${batches.toString(36)}`];
    entries.forEach(({ wanted }, i) => {
      if (wanted > 1) args.push(String(i + 1), String(wanted));
    });
    const sentMs = performance.now();
    const call = admitScript.run(connection, keys, args) as Promise<number[]>;
    const reply = await within(call, admitDeadlineMs, "admit");
    noteServerClock(reply[0]!, sentMs);
    if (reply[1] === 0) throw new Error("admit: reached Redis after its deadline");
    const results = new Array<AdmitResult>(entries.length).fill(firstInWindow);
    for (let at = 1; at < reply.length; at += 3) {
      const place = reply[at]! - 1;
      const left = reply[at + 1]!;
      results[place] = {
        granted: left >= 0 ? entries[place]!.wanted : -left - 1,
        remaining: Math.max(left, 0),
        resetMs: reply[at + 2]! / 1000,
      };
    }
    return results;
  }

  async function restore(past: readonly PastAdmissions[]): Promise<void> {
    for (const part of partsOf(past, CLIENTS_PER_RESTORE)) {
      // At the latest, so that nothing leaves the window before its time.
      const args: string[] = [window[1], latestServerUs()];
      for (const { admissions } of part) {
        args.push(String(admissions.length));
        for (const { id, ageMs } of admissions) args.push(String(Math.round(ageMs * 1000)), id);
      }
      const keys = part.map(({ client }) => admissionsKey(client));
      await within(restoreScript.run(connection, keys, args), deadlineMs, "restore");
    }
  }

  function close(): void {
    clearInterval(clockTimer);
    connection.close();
  }

  return { admit, restore, close };
}

const toServerUs = (us: number, elapsedMs: number) => String(Math.round(us + elapsedMs * 1000));
