import type { Client } from "autocannon";

/** Connections open before the first request is due. */
const CONNECT_MS = 100;
const TICK_MS = 1;

interface PaceOptions {
  /** Requests a second over all connections. */
  rate: number;
  connections: number;
  seconds: number;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
  /** Calls back about every millisecond. @returns a function that ends it */
  everyTick?: (run: () => void) => () => void;
}

/** An autocannon connection: it calls this whenever it may send, at first and after each answer. */
interface PacedClient extends Client {
  _doRequest(): void;
}

interface Connection {
  send: () => void;
  isFree: boolean;
  /** From when the request that is under way counts. */
  fromMs: number;
  /** The due times of those that wait until the connection is free. */
  waitingMs: number[];
}

/**
 * Sends at a fixed rate. Every request has its time before the run begins, evenly spread, and
 * belongs to one connection; if that still waits for an answer then, the request goes out late but
 * its latency counts from its time. So a slow answer does not keep the load away that would have
 * measured it, which is what coordinated omission means. One whose connection was free counts from
 * when it was sent: that it was late is then our fault, and told apart. (autocannon's own
 * `overallRate` sends each second's share of a connection at once, at full speed, and rests for
 * what is left of it.)
 */
export interface Pace {
  /** Takes a new connection over. */
  take(client: Client): void;
  /** @param onDone  called once everything that was planned has been answered */
  start(onDone: () => void): void;
  /** To be called at each answer. @returns milliseconds that the request took, see above */
  answered(client: Client): number;
  /** Plans nothing more; what was sent may still be answered. */
  end(): void;
  /** Ends at once. */
  stop(): void;
  planned(): number;
  /** From the first due time to the last answer. */
  lastedSeconds(): number;
  /** How late requests were sent on connections that were free: the fault of this process. */
  lateMs(): readonly number[];
}

export function createPace(options: PaceOptions): Pace {
  const { rate, connections: size, seconds } = options;
  const { now = () => performance.now(), everyTick = startTicks } = options;
  const intervalMs = 1000 / rate;
  const connections: Connection[] = [];
  const byClient = new Map<Client, Connection>();
  const lateMs: number[] = [];
  let total = Math.max(1, Math.round(rate * seconds));
  let planned = 0;
  let answers = 0;
  let startMs = Number.POSITIVE_INFINITY;
  let lastAnswerMs = 0;
  let stopTicks = () => {};
  let onDone = () => {};

  function take(client: Client): void {
    const own = client as PacedClient;
    const connection: Connection = {
      send: own._doRequest.bind(own),
      isFree: false,
      fromMs: 0,
      waitingMs: [],
    };
    own._doRequest = () => sendWaiting(connection);
    connections.push(connection);
    byClient.set(client, connection);
  }

  function start(whenDone: () => void): void {
    onDone = whenDone;
    startMs = now() + CONNECT_MS;
    stopTicks = everyTick(sendDue);
  }

  function sendWaiting(connection: Connection): void {
    const dueMs = connection.waitingMs.shift();
    if (dueMs === undefined) connection.isFree = true;
    else send(connection, dueMs);
  }

  function send(connection: Connection, fromMs: number): void {
    connection.isFree = false;
    connection.fromMs = fromMs;
    connection.send();
  }

  function sendDue(): void {
    const nowMs = now();
    for (; planned < total; planned++) {
      const dueMs = startMs + planned * intervalMs;
      if (dueMs > nowMs) return;
      const connection = connections[planned % size]!;
      if (!connection.isFree) {
        connection.waitingMs.push(dueMs);
        continue;
      }
      lateMs.push(nowMs - dueMs);
      send(connection, nowMs); // Our own lateness is no latency of the target.
    }
    finishIfDone();
  }

  function answered(client: Client): number {
    answers++;
    lastAnswerMs = now();
    const tookMs = lastAnswerMs - byClient.get(client)!.fromMs;
    sendDue(); // Far more often than the timer, under load.
    return tookMs;
  }

  function end(): void {
    total = planned;
    finishIfDone();
  }

  function finishIfDone(): void {
    if (answers < total || planned < total) return;
    stopTicks();
    onDone();
  }

  return {
    take,
    start,
    answered,
    end,
    stop: () => stopTicks(),
    planned: () => planned,
    lastedSeconds: () => Math.max(lastAnswerMs - startMs, intervalMs) / 1000,
    lateMs: () => lateMs,
  };
}

function startTicks(run: () => void): () => void {
  const timer = setInterval(run, TICK_MS);
  return () => clearInterval(timer);
}
