import { Redis } from "ioredis";
import { openRedisWindows } from "../../src/store/redis/open.ts";
import { answersWithin } from "../../src/store/store.ts";
import { createChildren } from "../children.ts";
import { createCpuClock } from "../cpu.ts";
import { startRedis } from "../target.ts";

/*
 * What does one call of the admission script cost for each client in it, one call after the other,
 * with 1 to 128 clients that Redis has never seen, and then with the same ones again? The CPU time
 * of Redis is read twice, from the kernel and from Redis itself; it ends with status 1 where the two
 * disagree.
 */
const CLIENTS = Number(process.argv[2] ?? 65_536);
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128];
const LIMIT = { max: 3, windowMs: 60_000 };
const DEADLINE_MS = 5_000;
/** The kernel counts in ticks of 10 ms; INFO itself takes some time. */
const TOLERANCE_SECONDS = 0.05;
const TOLERANCE_SHARE = 0.1;

const children = createChildren();
try {
  process.exitCode = await measureBatches();
} finally {
  await children.stopAll();
}

async function measureBatches(): Promise<number> {
  const { url, child } = await startRedis(children.group());
  const clock = createCpuClock();
  const info = new Redis(url);
  const windows = openRedisWindows({
    url,
    limit: LIMIT,
    producer: "bench",
    admitDeadlineMs: DEADLINE_MS,
    onError: (_role, error) => process.stderr.write(`${error.message}\n`),
  });
  const ping = async () => void (await windows.admit([{ client: "first", wanted: 1 }]));
  if (!(await answersWithin({ ping }, DEADLINE_MS))) throw new Error("Redis does not answer");
  await admitAll(1, CLIENTS / 8);

  let hasDisagreement = false;
  let checksum = 0;
  process.stdout.write("batch  clients    Redis µs/client  by INFO  own µs/client  µs/call\n");
  for (const size of BATCH_SIZES) {
    for (const clients of ["new", "returning"]) await measure(size, clients);
  }
  process.stdout.write(`checksum ${checksum}\n`);
  windows.close();
  info.disconnect();
  if (hasDisagreement) process.stderr.write("kernel and Redis disagree about the CPU time\n");
  return hasDisagreement ? 1 : 0;

  async function measure(size: number, clients: string): Promise<void> {
    const [kernel, redis, own, beganAt] = await read();
    checksum += await admitAll(size, CLIENTS);
    const [kernelAfter, redisAfter, ownAfter, endedAt] = await read();
    const seconds = kernelAfter - kernel;
    const secondsByInfo = redisAfter - redis;
    const difference = Math.abs(seconds - secondsByInfo);
    hasDisagreement ||= difference > TOLERANCE_SECONDS + TOLERANCE_SHARE * seconds;
    const cells = [
      String(size).padStart(5),
      clients.padEnd(9),
      perClient(seconds).padStart(15),
      perClient(secondsByInfo).padStart(7),
      perClient(ownAfter - own).padStart(13),
      (((endedAt - beganAt) * 1000 * size) / CLIENTS).toFixed(0).padStart(7),
    ];
    process.stdout.write(`${cells.join("  ")}\n`);
  }

  /** @returns the number of requests that were admitted: all of them */
  async function admitAll(size: number, count: number): Promise<number> {
    let admitted = 0;
    for (let from = 0; from < count; from += size) {
      const entries = Array.from({ length: size }, (_, i) => ({
        client: `${size}.${count}.${from + i}`,
        wanted: 1,
      }));
      for (const { granted } of await windows.admit(entries)) admitted += granted;
    }
    return admitted;
  }

  async function read() {
    // By Redis first, so that only our own question lies between the two.
    const text = await info.info("cpu");
    const byInfo = ["user", "sys"].map((part) => Number(text.match(`used_cpu_${part}:(.+)`)?.[1]));
    const { user, system } = process.cpuUsage();
    const [kernel, own] = [clock.of([child.pid]), (user + system) / 1e6];
    return [kernel, byInfo[0]! + byInfo[1]!, own, performance.now()] as const;
  }
}

function perClient(seconds: number): string {
  return ((seconds * 1e6) / CLIENTS).toFixed(1);
}
