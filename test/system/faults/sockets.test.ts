import { expect, setDefaultTimeout, test } from "bun:test";
import { expectCountedOnce } from "../../support/counting.ts";
import { startExchange } from "../../support/exchange.ts";
import { printFigures, shortOrLong } from "../../support/faults.ts";
import { readStat } from "../../support/ledger.ts";
import { openSocket, type RawSocket } from "../../support/raw-sockets.ts";
import { startSteadyLoad } from "../../support/steady-load.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);

const DISTINCT = { TRUSTED_PROXIES: "127.0.0.1" };
const IDLE = 400;
const DRIPPING = 200;
const DRIP_EVERY_MS = 1_000;
/** Ten seconds of silence, what Bun's coarse timer adds, and a busy machine. */
const CLOSED_MS_MAX = 20_000;
const TIMES = shortOrLong(1, 3);

const HEAD = "POST /bid HTTP/1.1\r\nHost: exchange\r\nContent-Type: application/json\r\n";

/** Half of them have sent nothing, half were answered once. */
async function openIdle(port: number): Promise<RawSocket[]> {
  const sockets = await Promise.all(Array.from({ length: IDLE }, () => openSocket(port)));
  const used = sockets.filter((_, n) => n % 2 === 0);
  for (const socket of used) socket.send("GET /livez HTTP/1.1\r\nHost: exchange\r\n\r\n");
  await until("their answers", () => used.every((socket) => socket.received() !== ""));
  return sockets;
}

/** Half of them drip their head, half their body. */
async function openDripping(port: number): Promise<{ sockets: RawSocket[]; stop: () => void }> {
  const sockets = await Promise.all(Array.from({ length: DRIPPING }, () => openSocket(port)));
  const body = `${HEAD}X-Country: US\r\nContent-Length: 2000\r\n\r\n{`;
  sockets.forEach((socket, n) => {
    socket.send(n % 2 === 0 ? `${HEAD}X-Slow: ` : body);
  });
  const drip = setInterval(() => {
    for (const socket of sockets) if (!socket.isClosed()) socket.send(" ");
  }, DRIP_EVERY_MS);
  return { sockets, stop: () => clearInterval(drip) };
}

test("400 idle and 200 dripping sockets are closed, and a live client notices nothing", async () => {
  await using exchange = await startExchange({ env: DISTINCT });
  const load = startSteadyLoad({ port: exchange.port, rate: 100, connections: 4 });
  const closed: Record<string, number> = {};
  for (let time = 0; time < TIMES; time++) {
    const idle = await openIdle(exchange.port);
    const dripping = await openDripping(exchange.port);
    const kinds = {
      silent: idle.filter((_, n) => n % 2 === 1),
      idle: idle.filter((_, n) => n % 2 === 0),
      "dripping head": dripping.sockets.filter((_, n) => n % 2 === 0),
      "dripping body": dripping.sockets.filter((_, n) => n % 2 === 1),
    };
    const beganMs = performance.now();
    for (const [kind, sockets] of Object.entries(kinds)) {
      const left = () => sockets.filter((socket) => !socket.isClosed()).length;
      await until(`${kind} sockets are closed`, () => left() === 0, CLOSED_MS_MAX);
      closed[`${kind} closed within ms`] = Math.round(performance.now() - beganMs);
    }
    dripping.stop();
    for (const socket of [...idle, ...dripping.sockets]) socket.close();
  }
  await load.stop();
  const figures = expectCountedOnce(await readStat(exchange.url), load);
  expect(figures).toMatchObject({ unknown: 0, answered: load.answered.length });
  const slowestMs = Math.max(...load.answered.map(({ sentMs, answeredMs }) => answeredMs - sentMs));
  expect(slowestMs).toBeLessThan(1_000);
  printFigures("600 lazy sockets", {
    ...closed,
    ...figures,
    "slowest answer ms": Math.round(slowestMs),
  });
  expect(await exchange.stop()).toEqual({ code: 0, signal: null });
});
