import type { AuctionEnd, Bidder, BidRequest } from "../../src/auction/bidder.ts";
import { createBidRequestWriter } from "../../src/bidders/bid-request.ts";
import { createHttpBidder } from "../../src/bidders/http-bidder.ts";
import { buildCatalog, type Supply } from "../../src/catalog/catalog.ts";
import { createChildren } from "../children.ts";
import { spread } from "../summary.ts";

/*
 * What does a call of a bidder cost? CPU microseconds of this process per call, next to a bare loop
 * of fetch with JSON, to the same stub in a process of its own; and new connections per call once
 * all are open.
 *   bun bench/micro/bidder-call.ts [rounds] [calls in flight]
 */
const ROUNDS = Number(process.argv[2] ?? 10);
const IN_FLIGHT = Number(process.argv[3] ?? 50);
const CALLS = 10_000;

/** Bids 0.5 on everything, and knows from how many ports it was called. */
function serveStub(): void {
  const ports = new Set<number>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, server) {
      if (request.method === "GET") return new Response(String(ports.size));
      ports.add(server.requestIP(request)!.port);
      const { id } = (await request.json()) as { id: string };
      return Response.json({ id, seatbid: [{ bid: [{ id: "1", impid: "1", price: 0.5 }] }] });
    },
  });
  process.stdout.write(`${server.url.href}\n`);
}

async function compare(): Promise<void> {
  const children = createChildren();
  try {
    const command = [process.execPath, import.meta.path, "stub"];
    const stub = await children.group().start({ name: "stub", command, readyWhen: /http:\S+/ });
    await compareAt(stub.greeting[0]);
  } finally {
    await children.stopAll();
  }
}

async function compareAt(url: string): Promise<void> {
  const supply = supplyOf(url);
  const bidder = openBidder(supply);
  const ways = { fetch: () => callByFetch(url), bidder: () => callBidder(bidder, supply) };
  const microseconds: Record<string, number[]> = { fetch: [], bidder: [] };
  const opened: Record<string, number> = { fetch: 0, bidder: 0 };
  let checksum = 0;
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, call] of Object.entries(ways)) {
      const portsBefore = await countPorts(url);
      const before = process.cpuUsage();
      checksum += await run(call);
      const { user, system } = process.cpuUsage(before);
      if (round < 0) continue; // Compiles, and opens the connections.
      microseconds[name]!.push((user + system) / CALLS);
      opened[name]! += (await countPorts(url)) - portsBefore;
    }
  }
  bidder.retire?.();
  for (const [name, values] of Object.entries(microseconds)) {
    const { median, least } = spread(values);
    const perCall = ((opened[name]! / (ROUNDS * CALLS)) * 100).toFixed(2);
    process.stdout.write(
      `${name}: ${median.toFixed(1)} us CPU per call (median of ${ROUNDS} ` +
        `rounds, least ${least.toFixed(1)}), new connections ${perCall} % of calls\n`,
    );
  }
  process.stdout.write(`${IN_FLIGHT} in flight, checksum ${checksum}\n`);
}

/** @returns the sum of all prices */
async function run(call: () => Promise<number>): Promise<number> {
  let left = CALLS;
  let sum = 0;
  const caller = async () => {
    while (left-- > 0) {
      const price = await call();
      sum += price;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  return sum;
}

async function countPorts(url: string): Promise<number> {
  return Number(await (await fetch(url)).text());
}

async function callByFetch(url: string): Promise<number> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "x-openrtb-version": "2.6" },
    body: JSON.stringify({
      id: crypto.randomUUID(),
      imp: [{ id: "1", banner: {}, bidfloor: 0, bidfloorcur: "USD", secure: 1 }],
      site: { domain: "example.com" },
      device: { ip: "192.0.2.0", geo: { country: "USA" } },
      at: 1,
      cur: ["USD"],
      tmax: 100,
    }),
  });
  const { seatbid } = (await response.json()) as { seatbid: { bid: { price: number }[] }[] };
  return seatbid[0]!.bid[0]!.price;
}

async function callBidder(bidder: Bidder, supply: Supply): Promise<number> {
  const listeners: ((end: AuctionEnd) => void)[] = [];
  const request: BidRequest = {
    auctionId: crypto.randomUUID(),
    supply,
    country: "US",
    deadlineAtMs: performance.now() + 1_000,
    device: () => ({ ip: "192.0.2.7", userAgent: undefined }),
    onEnd: (listener) => void listeners.push(listener),
  };
  const response = await bidder.bid(request);
  for (const listener of listeners) listener("decided");
  if (response.kind !== "bid") throw new Error(JSON.stringify(response));
  return response.priceMicros / 1e6;
}

function supplyOf(endpoint: string): Supply {
  const document = {
    supplies: { supply1: { bidders: ["a"], domain: "example.com" } },
    bidders: { a: { country: "US", endpoint } },
  };
  return buildCatalog(document, 1).supplies.get("supply1")!;
}

function openBidder(supply: Supply): Bidder {
  return createHttpBidder(supply.bidders[0]!, {
    egress: { allowPrivate: true },
    workers: 1,
    priceMax: 1_000,
    writer: createBidRequestWriter("truncated"),
    onChange: (trouble) => process.stderr.write(`${trouble}\n`),
  });
}

if (process.argv[2] === "stub") serveStub();
else await compare();
