import type { ChainableCommander } from "ioredis";

/** What a script needs of a connection. */
export interface ScriptCaller {
  call(command: string, args: string[]): Promise<unknown>;
}

/** What a script is called with. */
interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** A Lua script that is sent by its digest, and whole when the server does not know it. */
export interface Script {
  run(redis: ScriptCaller, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /**
   * Several calls in one write, behind what the pipeline holds.
   * @returns a reply for each call
   * @throws Error when any of them, or what was held, has failed
   */
  runAll(
    redis: ScriptCaller,
    calls: readonly ScriptCall[],
    pipeline: ChainableCommander,
  ): Promise<unknown[]>;
}

export function createScript(source: string): Script {
  const digest = new Bun.CryptoHasher("sha1").update(source).digest("hex");

  async function run(redis: ScriptCaller, keys: readonly string[], args: readonly string[]) {
    try {
      return await redis.call("EVALSHA", [digest, ...operandsOf({ keys, args })]);
    } catch (error) {
      if (!isUnknownScript(error as Error)) throw error;
      return runWhole(redis, { keys, args });
    }
  }

  const runWhole = (redis: ScriptCaller, call: ScriptCall) =>
    redis.call("EVAL", [source, ...operandsOf(call)]);

  async function runAll(
    redis: ScriptCaller,
    calls: readonly ScriptCall[],
    pipeline: ChainableCommander,
  ) {
    const held = pipeline.length;
    for (const call of calls) pipeline.call("EVALSHA", digest, ...operandsOf(call));
    const results = (await pipeline.exec()) ?? [];
    for (const [error] of results) if (error && !isUnknownScript(error)) throw error;
    return Promise.all(
      calls.map((call, i) => {
        const [isUnknown, reply] = results[held + i]!;
        return isUnknown ? runWhole(redis, call) : reply;
      }),
    );
  }

  return { run, runAll };
}

const operandsOf = ({ keys, args }: ScriptCall) => [String(keys.length), ...keys, ...args];

/** After a restart, a failover or SCRIPT FLUSH. The refused call did nothing. */
const isUnknownScript = (error: Error) => error.message.startsWith("NOSCRIPT");
