import { setTimeout as sleep } from "node:timers/promises";

/*
 * What a call costs at least with fetch: SIZE loops send a bid request of OpenRTB 2.6 as JSON to
 * the bidders of URLS, one after the other, and parse the answers, for SECONDS.
 */
const urls = process.env.URLS!.split(",");
const size = Number(process.env.SIZE);
const headers = { "content-type": "application/json", "x-openrtb-version": "2.6" };
let calls = 0;
let checksum = 0;

const writeRequest = (id: string) =>
  JSON.stringify({
    id,
    imp: [{ id: "1", tagid: "s", banner: {}, bidfloor: 0, bidfloorcur: "USD", secure: 1 }],
    site: {},
    at: 1,
    cur: ["USD"],
    device: { ip: "192.0.2.0", geo: { country: "USA" } },
    tmax: 100,
  });

async function loop(first: number, endsAtMs: number): Promise<void> {
  for (let turn = first; performance.now() < endsAtMs; turn++) {
    const body = writeRequest(`loop-${first}-${turn}`);
    const response = await fetch(urls[turn % urls.length]!, { method: "POST", headers, body });
    const { seatbid } = (await response.json()) as { seatbid: { bid: { price: number }[] }[] };
    checksum += seatbid[0]!.bid[0]!.price;
    calls++;
  }
}

async function run(seconds: number): Promise<void> {
  const endsAtMs = performance.now() + seconds * 1_000;
  await Promise.all(Array.from({ length: size }, (_, first) => loop(first, endsAtMs)));
}

const seconds = Number(process.env.SECONDS);
await run(seconds / 2); // Connections open, code compiled.
calls = 0;
const before = process.cpuUsage();
await run(seconds);
const { user, system } = process.cpuUsage(before);
console.log(`done: ${JSON.stringify({ calls, cpuUs: user + system, checksum })}`);
await sleep(2 ** 30); // Until it is ended, like every other process of the benchmark.
