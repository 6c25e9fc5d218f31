import { RedisClient } from "bun";
import { within } from "../../actor/within.ts";
import type { ConnectOptions } from "./connect.ts";
import type { ScriptCaller } from "./script.ts";

/** A server that says nothing for so long, to a new connection or while calls wait, is left. */
const SILENCE_MS = 2_000;

/**
 * The connection of admissions: Bun's own client, for which a call costs a third less. A call
 * rejects at once while there is no connection, with the server's error, and when the connection is
 * lost; it has no deadline of its own.
 */
export type LimiterConnection = ScriptCaller & { close(): void };

/**
 * Fails fast as `connectRedis` does: nothing is queued while Redis is away, nothing is sent twice.
 * A lost connection is replaced by a new client, because one of Bun's that meets `-LOADING` or a
 * silent server as it reconnects never works again.
 * @param onReady  told of every connection, when calls are taken
 */
export function connectLimiter(
  { url, name, onError }: ConnectOptions,
  onReady: () => void,
): LimiterConnection {
  let client: RedisClient | undefined;
  let isClosed = false;
  let attempts = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let waiting = 0;
  let heardMs = 0;
  let suspect: RedisClient | undefined;
  const watch = setInterval(leaveSilent, SILENCE_MS / 8);
  connect();

  async function connect(): Promise<void> {
    const next = new RedisClient(url.replace(/^unix:(\/\/)?/, "redis+unix://"), {
      autoReconnect: false,
      enableOfflineQueue: false,
      enableAutoPipelining: false,
      connectionTimeout: SILENCE_MS,
    });
    try {
      await within(greet(next, name), SILENCE_MS, "connect");
    } catch (error) {
      next.close();
      return fail(error as Error);
    }
    if (isClosed) return next.close();
    next.onclose = (error) => lose(next, error);
    client = next;
    if (!next.connected) return lose(next, new Error("closed while connecting"));
    waiting = attempts = 0;
    onReady();
  }

  function lose(lost: RedisClient, error: Error): void {
    if (client !== lost) return;
    client = undefined;
    lost.close();
    fail(error);
  }

  function fail(error: Error): void {
    if (isClosed) return;
    if (attempts === 0) onError(error);
    retry = setTimeout(connect, Math.min(50 * 2 ** attempts++, 1_000) + Math.random() * 100);
  }

  /** At the second look: after a pause of our own, what came meanwhile is read before that. */
  function leaveSilent(): void {
    const isSilent = waiting > 0 && performance.now() - heardMs >= SILENCE_MS;
    if (isSilent && client && client === suspect) {
      lose(client, new Error(`no answer in ${SILENCE_MS} ms`));
    }
    suspect = isSilent ? client : undefined;
  }

  async function call(command: string, args: string[]): Promise<unknown> {
    const used = client;
    if (!used) throw new Error("the connection is not ready");
    if (waiting++ === 0) heardMs = performance.now();
    try {
      return await used.send(command, args);
    } catch (error) {
      // A master that became a replica: its name may stand for another server by now.
      const isReadOnly = (error as Error).message.startsWith("READONLY");
      if (isReadOnly || !used.connected) lose(used, error as Error);
      throw error;
    } finally {
      heardMs = performance.now();
      if (used === client) waiting--;
    }
  }

  function close(): void {
    isClosed = true;
    clearTimeout(retry);
    clearInterval(watch);
    client?.close();
  }

  return { call, close };
}

/** PING is what fails while Redis loads its data. */
async function greet(client: RedisClient, name: string): Promise<void> {
  await client.connect();
  await client.send("CLIENT", ["SETNAME", name]).catch(() => {}); // Not worth failing for.
  await client.send("PING", []);
}
