import type { Redis } from "ioredis";
import { within } from "../../actor/within.ts";
import { offsetField } from "../counters.ts";
import {
  type AdmitEntry,
  type AdmitResult,
  type ApplyReply,
  CounterError,
  type CounterStore,
  type Counters,
  type PastAdmissions,
  type SupplyIncrements,
  type WindowLimit,
  type WindowStore,
} from "../store.ts";
import { admissionsKey, COUNTED_SUPPLIES_KEY, countersKey } from "./keys.ts";
import type { LimiterConnection } from "./limiter-connection.ts";
import admitSource from "./lua/admit.lua" with { type: "text" };
import applySource from "./lua/apply.lua" with { type: "text" };
import restoreSource from "./lua/restore.lua" with { type: "text" };
import { createScript } from "./script.ts";

const admitScript = createScript(admitSource);
const restoreScript = createScript(restoreSource);
const applyScript = createScript(applySource);

/** Clocks drift by some milliseconds in this time, far below the deadline of an admission. */
const CLOCK_EVERY_MS = 30_000;
/** Clients whose admissions one call puts back: below 2 ms of Redis's time. */
const CLIENTS_PER_RESTORE = 256;
/** Hashes read in one round trip. */
const SUPPLIES_PER_READ = 500;

export interface RedisStoreOptions {
  /** Connection for admissions alone, so that they never queue behind statistics. */
  connectLimiter: (onReady: () => void) => LimiterConnection;
  stats: Redis;
  limit: WindowLimit;
  /** Unique to this process: it makes the members of the windows unique. */
  producer: string;
  /** Milliseconds that an admission may take before it is given up. */
  admitDeadlineMs: number;
  /** Milliseconds that any other call may take. */
  deadlineMs: number;
}

/** The store on one Redis server, the reference implementation. */
export function createRedisStore(options: RedisStoreOptions): CounterStore & WindowStore {
  const { connectLimiter, stats, limit, producer, admitDeadlineMs, deadlineMs } = options;
  const window = [String(limit.max), String(limit.windowMs * 1000)] as const;
  const firstInWindow = { granted: 1, remaining: limit.max - 1, resetMs: limit.windowMs };
  let batches = 0;
  let lastListed: readonly string[] = [];
  /** A reading of Redis's clock: made between these two moments of ours. */
  let serverClock: { us: number; sentMs: number; answeredMs: number } | undefined;
  // Known before the first admission, so that even that one carries a deadline.
  const limiter = connectLimiter(readServerClock);
  const clockTimer = setInterval(readServerClock, CLOCK_EVERY_MS);

  async function readServerClock(): Promise<void> {
    const sentMs = performance.now();
    const call = limiter.call("TIME", []) as Promise<[seconds: string, us: string]>;
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
    const call = admitScript.run(limiter, keys, args) as Promise<number[]>;
    const reply = await within(call, admitDeadlineMs, "admit");
    noteServerClock(reply[0]!, sentMs);
    if (reply.length === 2) throw new Error("admit: reached Redis after its deadline");
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
    for (let at = 0; at < past.length; at += CLIENTS_PER_RESTORE) {
      const part = past.slice(at, at + CLIENTS_PER_RESTORE);
      // At the latest, so that nothing leaves the window before its time.
      const args: string[] = [window[1], latestServerUs()];
      for (const { admissions } of part) {
        args.push(String(admissions.length));
        for (const { id, ageMs } of admissions) args.push(String(Math.round(ageMs * 1000)), id);
      }
      const keys = part.map(({ client }) => admissionsKey(client));
      await within(restoreScript.run(limiter, keys, args), deadlineMs, "restore");
    }
  }

  async function apply(name: string, batch: readonly SupplyIncrements[]) {
    if (batch.length === 0) return [];
    // Every time: a server that came back empty has to learn them again. Ahead of the counters, so
    // that a crash in between leaves a listed supply without counters.
    const listed = stats.sadd(COUNTED_SUPPLIES_KEY, ...batch.map((part) => part.supplyId));
    const calls = batch.map((part) => {
      const args = applyArgs(name, part);
      return applyScript.run(stats, [countersKey(part.supplyId)], args) as Promise<string>;
    });
    const work = Promise.all([Promise.all(calls), listed]);
    const [replies] = await within(work, deadlineMs, "apply");
    return batch.map((part, i) => readApplyReply(part, replies[i]!));
  }

  function readApplyReply({ supplyId }: SupplyIncrements, reply: string): ApplyReply {
    if (reply === "!type") return new CounterError(`${countersKey(supplyId)} is not a hash`);
    if (reply === "!overflow") {
      return new CounterError(`a counter of ${supplyId} is full or holds no number`);
    }
    return Number(reply);
  }

  async function read(supplyIds?: readonly string[]): Promise<Map<string, Counters>> {
    if (supplyIds) return readSupplies(supplyIds);
    const listed = within(stats.smembers(COUNTED_SUPPLIES_KEY), deadlineMs, "read");
    // Hardly ever is one new: those of the last time are asked for along with the list.
    const [ids, counters] = await Promise.all([listed, readSupplies(lastListed)]);
    const added = await readSupplies(ids.filter((id) => !counters.has(id)));
    for (const [id, fields] of added) counters.set(id, fields);
    if (counters.size > ids.length) dropUnlisted(counters, ids);
    lastListed = ids;
    return counters;
  }

  async function readSupplies(ids: readonly string[]): Promise<Map<string, Counters>> {
    const counters = new Map<string, Counters>();
    for (let at = 0; at < ids.length; at += SUPPLIES_PER_READ) {
      const part = ids.slice(at, at + SUPPLIES_PER_READ);
      const pipeline = stats.pipeline();
      for (const id of part) pipeline.hgetall(countersKey(id));
      const replies = await within(pipeline.exec(), deadlineMs, "read");
      part.forEach((id, i) => {
        const [error, fields] = replies![i]!;
        if (error) throw error;
        counters.set(id, new Map(Object.entries(fields as Record<string, string>)));
      });
    }
    return counters;
  }

  async function forget(name: string, supplyIds: readonly string[]) {
    for (let at = 0; at < supplyIds.length; at += SUPPLIES_PER_READ) {
      const pipeline = stats.pipeline();
      for (const id of supplyIds.slice(at, at + SUPPLIES_PER_READ)) {
        pipeline.hdel(countersKey(id), offsetField(name));
      }
      const replies = await within(pipeline.exec(), deadlineMs, "forget");
      for (const [error] of replies!) if (error) throw error;
    }
  }

  async function ping() {
    await within(stats.ping(), deadlineMs, "ping");
  }

  function close() {
    clearInterval(clockTimer);
    // Not quit(): that would wait for a Redis that is away.
    limiter.close();
    stats.disconnect();
  }

  return { admit, restore, apply, read, forget, ping, close };
}

const toServerUs = (us: number, elapsedMs: number) => String(Math.round(us + elapsedMs * 1000));

/** The server has been emptied since they were listed. */
function dropUnlisted(counters: Map<string, Counters>, listed: readonly string[]): void {
  const ids = new Set(listed);
  for (const [id] of counters) if (!ids.has(id)) counters.delete(id);
}

function applyArgs(producer: string, { from, to, increments }: SupplyIncrements): string[] {
  const args = [offsetField(producer), String(from), String(to)];
  for (const [field, by] of increments) args.push(field, String(by));
  return args;
}
