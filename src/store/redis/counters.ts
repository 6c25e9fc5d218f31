import type { Redis } from "ioredis";
import { within } from "../../actor/within.ts";
import { offsetField } from "../counters.ts";
import { partsOf, SUPPLIES_PER_CALL } from "../parts.ts";
import {
  type ApplyReply,
  CounterError,
  type CounterStore,
  type Counters,
  type SupplyIncrements,
} from "../store.ts";
import { COUNTED_SUPPLIES_KEY, countersKey } from "./keys.ts";
import applySource from "./lua/apply.lua" with { type: "text" };
import { createScript } from "./script.ts";

const applyScript = createScript(applySource);

/**
 * The counters on one Redis server, the reference implementation.
 * @param deadlineMs  that a call may take
 */
export function createRedisCounters(redis: Redis, deadlineMs: number): CounterStore {
  let lastListed: readonly string[] = [];

  async function apply(name: string, batch: readonly SupplyIncrements[]) {
    const replies: ApplyReply[] = [];
    for (const part of partsOf(batch, SUPPLIES_PER_CALL)) {
      replies.push(...(await applyPart(name, part)));
    }
    return replies;
  }

  async function applyPart(name: string, part: readonly SupplyIncrements[]) {
    // Every time: a server that came back empty has to learn them again. Ahead of the counters, so
    // that a crash in between leaves a listed supply without counters.
    const list = ["SADD", COUNTED_SUPPLIES_KEY, ...part.map(({ supplyId }) => supplyId)] as const;
    const calls = part.map((supply) => ({
      keys: [countersKey(supply.supplyId)],
      args: applyArgs(name, supply),
    }));
    const work = applyScript.runAll(redis, list, calls);
    const replies = await within(work, deadlineMs, "apply");
    return part.map((supply, i) => readApplyReply(supply, replies[i] as string));
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
    const listed = within(redis.smembers(COUNTED_SUPPLIES_KEY), deadlineMs, "read");
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
    for (const part of partsOf(ids, SUPPLIES_PER_CALL)) {
      const pipeline = redis.pipeline();
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
    for (const part of partsOf(supplyIds, SUPPLIES_PER_CALL)) {
      const pipeline = redis.pipeline();
      for (const id of part) pipeline.hdel(countersKey(id), offsetField(name));
      const replies = await within(pipeline.exec(), deadlineMs, "forget");
      for (const [error] of replies!) if (error) throw error;
    }
  }

  async function ping() {
    await within(redis.ping(), deadlineMs, "ping");
  }

  return {
    apply,
    read,
    forget,
    ping,
    close: () => redis.disconnect(), // Not quit(): that would wait for a Redis that is away.
  };
}

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
