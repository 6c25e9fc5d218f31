import { within } from "../../src/actor/within.ts";
import { type Bid, clientAddress, formatBid, type LedgerEntry, readAnswer } from "./ledger.ts";
import { openConnection, type RawConnection } from "./raw-http.ts";
import { until } from "./until.ts";

/** A connection that ended, or was given up, before its bid was answered. */
interface Break {
  /** Who had answered on it before; none: nobody yet. */
  readonly worker: string | undefined;
  readonly atMs: number;
}

/** An answer and when it was waited for, on the clock of `performance.now()`. */
export interface TimedEntry extends LedgerEntry {
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** A ledger client that goes on through faults: what is not answered is written down as unknown. */
export interface SteadyLoad {
  /** Bids whose whole answer came. */
  readonly answered: TimedEntry[];
  /** Bids that were sent and never answered: nobody knows whether they were held. */
  readonly unknown: Bid[];
  readonly breaks: Break[];
  /** Attempts to connect that failed: nothing was sent. */
  refused(): number;
  /** Breaks of connections whose worker answered somebody afterwards: it was not its end. */
  breaksOfTheLiving(): Break[];
  /** Ends the load. Resolves when every bid on its way is answered or given up. */
  stop(): Promise<void>;
}

export interface SteadyLoadOptions {
  port: number;
  /** Bids in a second, over all connections. */
  rate?: number;
  /** The usual ones leave one of three workers without any once in 28 million starts. */
  connections?: number;
  bidOf?: (n: number) => Bid;
  /** How long a client waits before it gives a bid up, milliseconds. */
  patienceMs?: number;
}

const SUPPLIES = ["supply1", "supply2", "sports-live", "video-preroll", "travel-search"];
const COUNTRIES = ["US", "GB", "DE", "FR", "ZZ"];
let clients = 0;

/** Spread over supplies and countries; each bid from a client of its own, behind a proxy. */
export const variedBid = (n: number): Bid => ({
  supplyId: SUPPLIES[n % SUPPLIES.length]!,
  country: COUNTRIES[Math.floor(n / SUPPLIES.length) % COUNTRIES.length]!,
  client: clientAddress(++clients),
});

/** Begins to bid, each connection one bid at a time, and connects again whenever one breaks. */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { port, rate = 400, connections = 45, bidOf = variedBid, patienceMs = 5_000 } = options;
  const answered: TimedEntry[] = [];
  const unknown: Bid[] = [];
  const breaks: Break[] = [];
  const lastAnswerMs = new Map<string, number>();
  const everyMs = (connections * 1000) / rate;
  let refused = 0;
  let sent = 0;
  let isOver = false;

  async function run(index: number): Promise<void> {
    let dueMs = performance.now() + (index * everyMs) / connections;
    while (!isOver) {
      const connection = await openConnection(port).catch(() => undefined);
      if (!connection) {
        refused++;
        await Bun.sleep(20);
        continue;
      }
      await use(connection, async () => {
        dueMs = Math.max(dueMs + everyMs, performance.now() - everyMs);
        await Bun.sleep(Math.max(0, dueMs - performance.now()));
      });
      connection.close();
    }
  }

  /** Bids on one connection until it breaks or is told to close. */
  async function use(connection: RawConnection, untilDue: () => Promise<void>): Promise<void> {
    let worker: string | undefined;
    for (;;) {
      await untilDue();
      if (isOver || !connection.isOpen()) return;
      const entry = await bid(connection, worker);
      if (!entry || entry.isLast) return;
      worker = entry.worker;
    }
  }

  /** One bid, written down; undefined when the connection broke over it. */
  async function bid(connection: RawConnection, worker: string | undefined) {
    const offer = bidOf(sent++);
    const sentMs = performance.now();
    try {
      const answer = await within(connection.ask(formatBid(offer)), patienceMs, "an answer");
      const entry = readAnswer(offer, answer);
      answered.push({ ...entry, sentMs, answeredMs: performance.now() });
      lastAnswerMs.set(entry.worker, performance.now());
      return { worker: entry.worker, isLast: answer.headers.get("connection") === "close" };
    } catch {
      unknown.push(offer);
      breaks.push({ worker, atMs: performance.now() });
      return undefined;
    }
  }

  const running = Promise.all(Array.from({ length: connections }, (_, i) => run(i)));

  async function stop(): Promise<void> {
    isOver = true;
    await running;
  }

  return {
    answered,
    unknown,
    breaks,
    refused: () => refused,
    breaksOfTheLiving: () =>
      breaks.filter(({ worker, atMs }) => (lastAnswerMs.get(worker ?? "") ?? 0) > atMs),
    stop,
  };
}

/** Resolves when so many bids more were answered. */
export function untilAnswered(load: SteadyLoad, more: number): Promise<void> {
  const enough = load.answered.length + more;
  return until(`${more} answers more`, () => load.answered.length >= enough);
}
