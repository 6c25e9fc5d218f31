import { formatRequest, openConnection, type RawAnswer } from "./raw-http.ts";

/** What one bid was answered. */
export interface LedgerEntry {
  readonly supplyId: string;
  readonly country: string;
  readonly client: string | undefined;
  readonly status: number;
  /** The problem's code, when nobody won. */
  readonly code?: string;
  readonly winner?: string;
  readonly priceMicros?: number;
  /** Which worker answered. */
  readonly worker: string;
}

export interface Bid {
  readonly supplyId: string;
  readonly country: string;
  /** Address in `X-Forwarded-For`; none: the header is not sent. */
  readonly client?: string;
  readonly tmax?: number;
}

/** One supply of GET /stat, with its money in micros. */
export interface SupplyTotals {
  total: number;
  countries: Record<string, number>;
  wins: Record<string, number>;
  revenueMicros: Record<string, number>;
}

const MICROS = 1_000_000;

/** A client address for each number: distinct ones up to 16 million. */
export const clientAddress = (n: number) => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;

export function formatBid({ supplyId, country, client, tmax }: Bid): string {
  return formatRequest({
    headers: {
      "Content-Type": "application/json",
      "X-Country": country,
      ...(client !== undefined && { "X-Forwarded-For": client }),
    },
    body: JSON.stringify({ supply_id: supplyId, ...(tmax !== undefined && { tmax }) }),
  });
}

export function readAnswer(bid: Bid, answer: RawAnswer): LedgerEntry {
  const { supplyId, country, client } = bid;
  const { status } = answer;
  const worker = workerOf(answer);
  const body = JSON.parse(answer.body);
  if (status !== 200) return { supplyId, country, client, status, code: body.code, worker };
  const priceMicros = Math.round(body.price * MICROS);
  return { supplyId, country, client, status, winner: body.winner, priceMicros, worker };
}

/** Ids that the service makes begin with the worker and end with a number. */
export const workerOf = ({ headers }: RawAnswer) =>
  headers.get("x-request-id")!.replace(/-[^-]*$/, "");

export interface LoadOptions {
  port: number;
  /** Bids in all; Infinity: until told to stop. */
  count: number;
  connections: number;
  bidOf: (n: number) => Bid;
  /** Told of each answer before the next bid on its connection. True ends the load. */
  onAnswer?: (entry: LedgerEntry, answer: RawAnswer) => boolean | undefined;
}

/**
 * Sends bids over connections that are kept open, each with one bid at a time. A connection that
 * is told to close leaves the load.
 * @throws Error when a connection ends without an answer to a bid
 */
export async function holdAuctions(options: LoadOptions): Promise<LedgerEntry[]> {
  const { port, count, connections, bidOf, onAnswer } = options;
  const entries: LedgerEntry[] = [];
  let sent = 0;
  let isOver = false;

  async function run(): Promise<void> {
    const connection = await openConnection(port);
    try {
      while (!isOver && sent < count) {
        const bid = bidOf(sent++);
        const answer = await connection.ask(formatBid(bid));
        const entry = readAnswer(bid, answer);
        entries.push(entry);
        if (onAnswer?.(entry, answer)) isOver = true;
        if (answer.headers.get("connection") === "close") break;
      }
    } finally {
      connection.close();
    }
  }

  await Promise.all(Array.from({ length: connections }, run));
  return entries;
}

/** Whether a bid was answered with an auction, and so was let in by the limiter. */
export const isHeld = ({ status, code }: LedgerEntry) =>
  status === 200 || code === "no_bids" || code === "no_eligible_bidders";

/** What GET /stat must say after these answers, by supply; supplies nobody asked for are absent. */
export function totalsOf(entries: readonly LedgerEntry[]): Record<string, SupplyTotals> {
  const supplies = new Map<string, SupplyTotals>();
  for (const entry of entries) {
    if (!isHeld(entry)) continue;
    const { supplyId, country, winner, priceMicros } = entry;
    const totals = supplies.get(supplyId) ?? emptyTotals();
    supplies.set(supplyId, totals);
    totals.total++;
    totals.countries[country] = (totals.countries[country] ?? 0) + 1;
    if (winner === undefined) continue;
    totals.wins[winner] = (totals.wins[winner] ?? 0) + 1;
    totals.revenueMicros[winner] = (totals.revenueMicros[winner] ?? 0) + priceMicros!;
  }
  return Object.fromEntries(supplies);
}

interface StatSupply {
  total_reqs: number;
  reqs_per_country: Record<string, number>;
  bidders: Record<
    string,
    Record<
      "wins" | "total_revenue" | "no_bids" | "timeouts" | "errors" | "invalid" | "bids",
      number
    >
  >;
}
export type Stat = Record<string, StatSupply>;

/** GET /stat in the form of `totalsOf`: without what is zero. */
export function totalsOfStat(stat: Stat): Record<string, SupplyTotals> {
  const supplies: Record<string, SupplyTotals> = {};
  for (const [supplyId, { total_reqs, reqs_per_country, bidders }] of Object.entries(stat)) {
    if (total_reqs === 0) continue;
    const totals = { ...emptyTotals(), total: total_reqs, countries: reqs_per_country };
    supplies[supplyId] = totals;
    for (const [id, { wins, total_revenue }] of Object.entries(bidders)) {
      if (wins === 0) continue;
      totals.wins[id] = wins;
      totals.revenueMicros[id] = Math.round(total_revenue * MICROS);
    }
  }
  return supplies;
}

const emptyTotals = (): SupplyTotals => ({ total: 0, countries: {}, wins: {}, revenueMicros: {} });

export async function readStat(url: string, query = ""): Promise<Stat> {
  const answer = await fetch(`${url}/stat${query}`);
  if (answer.status !== 200) throw new Error(`GET /stat: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Stat;
}
