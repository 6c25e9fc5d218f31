import { expect, test } from "bun:test";
import type { Client } from "autocannon";
import { createPace } from "../../bench/pace.ts";

/** A pace over connections that send nothing: the test moves the clock and gives the answers. */
function manualPace(rate: number, connections: number, seconds: number) {
  let nowMs = 0;
  let tick = () => {};
  let isTicking = false;
  let isDone = false;
  const sent: { connection: number; atMs: number }[] = [];
  const pace = createPace({
    rate,
    connections,
    seconds,
    now: () => nowMs,
    everyTick(run) {
      tick = run;
      isTicking = true;
      return () => {
        isTicking = false;
      };
    },
  });
  const clients = Array.from({ length: connections }, (_, connection) => {
    // autocannon's connection asks itself for a request at first and after each answer.
    const client = { _doRequest: () => void sent.push({ connection, atMs: nowMs }) };
    pace.take(client as unknown as Client);
    client._doRequest();
    return client;
  });
  pace.start(() => {
    isDone = true;
  });
  return {
    pace,
    sent,
    isDone: () => isDone,
    isTicking: () => isTicking,
    advanceTo(ms: number) {
      nowMs = ms;
      tick();
    },
    /** @returns milliseconds that count as the latency */
    answer(connection: number): number {
      const client = clients[connection]!;
      const tookMs = pace.answered(client as unknown as Client);
      client._doRequest();
      return tookMs;
    },
  };
}

test("nothing is sent before its time, and connections take turns", () => {
  const { sent, advanceTo } = manualPace(100, 2, 1);
  expect(sent).toEqual([]);
  advanceTo(99);
  expect(sent).toEqual([]);
  advanceTo(100);
  advanceTo(110);
  expect(sent).toEqual([
    { connection: 0, atMs: 100 },
    { connection: 1, atMs: 110 },
  ]);
});

test("latency of a request that had to wait counts from its own time", () => {
  const { sent, advanceTo, answer } = manualPace(100, 1, 0.03);
  advanceTo(100);
  advanceTo(110);
  advanceTo(120);
  expect(sent).toHaveLength(1);
  advanceTo(150);
  // One slow answer of 50 ms; the two that it held up were due 10 and 20 ms after it.
  expect(answer(0)).toBe(50);
  expect(sent).toHaveLength(2);
  expect(answer(0)).toBe(40);
  expect(answer(0)).toBe(30);
});

test("it ends with the last answer and no request more than planned", () => {
  const { pace, sent, advanceTo, answer, isDone, isTicking } = manualPace(100, 1, 0.02);
  advanceTo(1_000);
  answer(0);
  expect(isDone()).toBe(false);
  answer(0);
  expect({ sent: sent.length, planned: pace.planned() }).toEqual({ sent: 2, planned: 2 });
  expect({ isDone: isDone(), isTicking: isTicking() }).toEqual({ isDone: true, isTicking: false });
});

test("ended early, it waits for what was sent and plans nothing more", () => {
  const { pace, sent, advanceTo, answer, isDone } = manualPace(100, 1, 10);
  advanceTo(100);
  pace.end();
  expect(isDone()).toBe(false);
  advanceTo(500);
  expect(sent).toHaveLength(1);
  answer(0);
  expect(isDone()).toBe(true);
});

test("our own lateness, on a free connection, is told apart from the latency", () => {
  const { pace, advanceTo, answer } = manualPace(100, 1, 0.02);
  advanceTo(107);
  advanceTo(130);
  expect(answer(0)).toBe(23);
  expect(answer(0)).toBe(20); // It was due at 110, and had to wait for the other.
  expect(pace.lateMs()).toEqual([7]);
});
