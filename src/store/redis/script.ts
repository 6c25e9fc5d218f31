/** What a script needs of a connection. */
export interface ScriptCaller {
  call(command: string, args: string[]): Promise<unknown>;
}

/** A Lua script that is sent by its digest, and whole when the server does not know it. */
export interface Script {
  run(redis: ScriptCaller, keys: readonly string[], args: readonly string[]): Promise<unknown>;
}

export function createScript(source: string): Script {
  const digest = new Bun.CryptoHasher("sha1").update(source).digest("hex");

  async function run(redis: ScriptCaller, keys: readonly string[], args: readonly string[]) {
    const operands = [String(keys.length), ...keys, ...args];
    try {
      return await redis.call("EVALSHA", [digest, ...operands]);
    } catch (error) {
      // After a restart, a failover or SCRIPT FLUSH. The refused call did nothing.
      if (!(error as Error).message.startsWith("NOSCRIPT")) throw error;
      return redis.call("EVAL", [source, ...operands]);
    }
  }

  return { run };
}
