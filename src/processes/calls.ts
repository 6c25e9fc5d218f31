import type { Order, Report } from "./messages.ts";

/** Most calls without an answer; beyond it a call is refused. */
const CALLS_MAX = 10_000;

/** The worker's side of calls to the supervisor. */
export interface Calls {
  /** @throws Error with what the supervisor said, or when there is no way to reach it */
  call(name: string, argument: unknown): Promise<unknown>;
  /** Takes an answer in. */
  settle(reply: Extract<Order, { type: "reply" }>): void;
  /** The supervisor is gone: what waits and what comes is refused. */
  close(): void;
}

export function createCalls(send: (report: Report) => void): Calls {
  const pending = new Map<number, (reply: Extract<Order, { type: "reply" }>) => void>();
  let made = 0;
  let isClosed = false;

  function call(name: string, argument: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (pending.size >= CALLS_MAX) return reject(new Error(`${name}: ${CALLS_MAX} unanswered`));
      if (isClosed) return reject(new Error(`${name}: the supervisor is gone`));
      const id = ++made;
      pending.set(id, (reply) => {
        if (reply.error === undefined) resolve(reply.result);
        else reject(new Error(reply.error));
      });
      try {
        send({ type: "call", id, name, argument });
      } catch (cause) {
        pending.delete(id);
        reject(new Error(`${name}: the supervisor is gone`, { cause }));
      }
    });
  }

  function settle(reply: Extract<Order, { type: "reply" }>): void {
    pending.get(reply.id)?.(reply);
    pending.delete(reply.id);
  }

  function close(): void {
    isClosed = true;
    for (const [id, refuse] of pending)
      refuse({ type: "reply", id, error: "the supervisor is gone" });
    pending.clear();
  }

  return { call, settle, close };
}
