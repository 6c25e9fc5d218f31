import { createChildren } from "../children.ts";
import { createCpuClock } from "../cpu.ts";
import { LISTENING, PLACE, tellPort } from "../listening.ts";
import { runLoad } from "../load.ts";
import { spread } from "../summary.ts";
import type { Traffic } from "../traffic.ts";

/*
 * What does it cost that an answer has to wait? CPU microseconds of three processes per request,
 * 64 connections, with a fixed answer: in the turn that has read the body, a turn of the event loop
 * later, and after a timer of a millisecond, as one that waits for Redis does.
 *   bun bench/micro/late-answer.ts [rounds]
 */
const PROCESSES = 3;
const CONNECTIONS = 64;

const TRAFFIC: Traffic = {
  templates: [
    {
      method: "POST",
      path: "/bid",
      headers: { "content-type": "application/json", "x-country": "US" },
      body: JSON.stringify({ supply_id: "supply1" }),
    },
  ],
  address: undefined,
  supply: undefined,
  take: () => 0,
};

type Later = (run: () => void) => unknown;

/** Calls back when an answer is due; all that came meanwhile are due together. */
const WAYS: Record<string, Later> = {
  "the same turn": (run) => run(),
  "a turn later": (run) => setImmediate(run),
  "a millisecond later": (run) => setTimeout(run, 1),
};

function serve(later: Later): void {
  let waiting: (() => void)[] = [];
  const answerAll = () => {
    const due = waiting;
    waiting = [];
    for (const answer of due) answer();
  };
  const server = Bun.serve({
    ...PLACE,
    async fetch(request) {
      await request.json();
      return new Promise<Response>((resolve) => {
        const first = waiting.push(() => resolve(Response.json({ winner: "bidder1" }))) === 1;
        if (first) later(answerAll);
      });
    },
  });
  tellPort(server);
}

async function compare(rounds: number): Promise<void> {
  const seconds = rounds === 1 ? 0.3 : 3;
  const children = createChildren();
  try {
    const costs = new Map(Object.keys(WAYS).map((way): [string, number[]] => [way, []]));
    let checksum = 0;
    for (let round = 0; round < rounds; round++) {
      for (const [way, values] of costs) {
        const { microseconds, requests } = await measure(way);
        values.push(microseconds);
        checksum += requests;
      }
    }
    for (const [way, values] of costs) {
      const { median, least, most } = spread(values);
      const range = `${least.toFixed(1)}–${most.toFixed(1)}`;
      process.stdout.write(`${way}: ${median.toFixed(1)} µs CPU per request (${range})\n`);
    }
    process.stdout.write(`checksum ${checksum}\n`);
  } finally {
    await children.stopAll();
  }

  async function measure(way: string) {
    const group = children.group();
    const pids: number[] = [];
    let port = "0";
    for (let i = 0; i < PROCESSES; i++) {
      const child = await group.start({
        name: "late-answer",
        command: [process.execPath, import.meta.path, "serve", way],
        env: { PORT: port },
        readyWhen: LISTENING,
      });
      port = child.greeting[1]!;
      pids.push(child.pid);
    }
    const load = { url: `http://127.0.0.1:${port}`, connections: CONNECTIONS, traffic: TRAFFIC };
    await runLoad({ ...load, seconds });
    const clock = createCpuClock();
    const before = clock.of(pids);
    const { requests } = await runLoad({ ...load, seconds });
    const microseconds = ((clock.of(pids) - before) / requests) * 1e6;
    await group.stopAll();
    return { microseconds, requests };
  }
}

if (process.argv[2] === "serve") serve(WAYS[process.argv[3]!]!);
else await compare(Number(process.argv[2] ?? 5));
