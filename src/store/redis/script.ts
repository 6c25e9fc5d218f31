import type { Redis } from "ioredis";

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
   * Several calls in one write, behind a command that goes ahead of them.
   * @returns a reply for each call
   * @throws Error when any of them, or the command, has failed
   */
  runAll(
    redis: Redis,
    ahead: readonly [command: string, ...args: string[]],
    calls: readonly ScriptCall[],
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

  const runAll: Script["runAll"] = async (redis, ahead, calls) => {
    const pipeline = redis.pipeline().call(...ahead);
    for (const call of calls) pipeline.call("EVALSHA", digest, ...operandsOf(call));
    const results = (await pipeline.exec())!;
    for (const [error] of results) if (error && !isUnknownScript(error)) throw error;
    return Promise.all(
      calls.map((call, i) => {
        const [error, reply] = results[i + 1]!;
        return error ? runWhole(redis, call) : reply;
      }),
    );
  };

  return { run, runAll };
}

const operandsOf = ({ keys, args }: ScriptCall) => [String(keys.length), ...keys, ...args];

/** After a restart, a failover or SCRIPT FLUSH. The refused call did nothing. */
const isUnknownScript = (error: Error) => error.message.startsWith("NOSCRIPT");
