import { expect, test } from "bun:test";
import fc from "fast-check";
import { admissionRingOver, ringBytes } from "../../../src/store/embedded/admission-ring.ts";
import { createWindowsFile, openWindows } from "../../../src/store/embedded/windows-file.ts";
import { createFolder } from "../../support/folder.ts";
import { RING_LIMIT, startRingProcess } from "../../support/ring-processes.ts";

const ringOf = (admissions: number) => admissionRingOver(new Uint8Array(ringBytes(admissions)));

test("finds any of a client's admissions by its place, however many there are", () => {
  const { lookUp, timeOf, append } = ringOf(2 ** 12);
  for (let atMs = 1; atMs <= 3_000; atMs++) {
    expect(lookUp("a", 0, 1e6)).toBe(atMs - 1);
    append(atMs);
  }
  for (const windowMs of [3_000, 2_999, 2_000, 2]) {
    expect(lookUp("a", 3_000, windowMs)).toBe(windowMs);
    for (let nth = 1; nth <= windowMs; nth++) expect(timeOf(nth)).toBe(3_001 - nth);
  }
  expect(lookUp("a", 4_000, 1_000)).toBe(0);
});

test("an admission on a chain that has changed since it was looked at is not added", () => {
  const bytes = new Uint8Array(ringBytes(256));
  const [one, other] = [admissionRingOver(bytes), admissionRingOver(bytes)];
  expect([one.lookUp("a", 0, 1e6), other.lookUp("a", 0, 1)]).toEqual([0, 0]);
  expect(one.append(1)).toBe(true);
  expect(other.append(1)).toBe(false);
  expect(other.lookUp("a", 0, 1e6)).toBe(1);
  expect(other.append(2)).toBe(true);
  expect(one.lookUp("a", 0, 1e6)).toBe(2);
});

test("keeps the youngest of any clients, noted or appended, as a list of them all does", () => {
  const step = fc.record({
    client: fc.nat(40).map((n) => `client ${n}`),
    afterMs: fc.constantFrom(0, 1, 10),
    /** Of clients that nobody looks up before the next step. */
    noted: fc.array(
      fc.nat(40).map((n) => `client ${n}`),
      { maxLength: 3 },
    ),
  });
  const window = fc.constantFrom(20, 200, 1e6);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), window, (steps, windowMs) => {
      const SLOTS = 64;
      const { lookUp, append, timeOf, note } = ringOf(SLOTS);
      const log: { client: string; atMs: number }[] = [];
      let nowMs = 1;
      for (const { client, afterMs, noted } of steps) {
        nowMs += afterMs;
        // What is about to be written over is not read any more.
        const own = log
          .slice(-(SLOTS - SLOTS / 16))
          .filter((one) => one.client === client && nowMs - one.atMs < windowMs);
        const found = lookUp(client, nowMs, windowMs);
        expect(found).toBe(own.length);
        if (found > 0) expect([timeOf(1), timeOf(found)]).toEqual([own.at(-1)!.atMs, own[0]!.atMs]);
        append(nowMs);
        for (const other of noted) note(other, nowMs);
        for (const other of [client, ...noted]) log.push({ client: other, atMs: nowMs });
      }
    }),
    { numRuns: 300 },
  );
});

test("keeps what is young behind what another process has stamped too early", () => {
  const { lookUp, append } = ringOf(64);
  // Every two clients of so many share a bucket; each second one is stamped long ago.
  for (let i = 0; i < 50; i++) {
    lookUp(`client ${i}`, 100_000, 60_000);
    append(i % 2 === 0 ? 100_000 : 30_000);
  }
  for (let i = 0; i < 50; i++) {
    expect(lookUp(`client ${i}`, 95_000, 60_000)).toBe(i % 2 === 0 ? 1 : 0);
  }
});

test("keeps the youngest of more that were noted than it has room for", () => {
  const { lookUp, timeOf, note } = ringOf(256);
  for (const end of [1_000, 1_100, 10_000]) {
    for (let i = end - 300; i < end; i++) note(i % 2 === 0 ? "even" : "odd", i);
    expect(lookUp("even", 0, 1e6)).toBe(120); // Half of 15/16.
    expect([timeOf(1), timeOf(120)]).toEqual([end - 2, end - 240]);
    expect(lookUp("odd", 0, 1e6)).toBe(120);
  }
});

/** A ring that has given away all but 40 of its positions before they begin again at 0. */
function ringBeforeZero() {
  const bytes = new Uint8Array(ringBytes(256));
  new Int32Array(bytes.buffer)[0] = -40;
  return admissionRingOver(bytes);
}

test("goes on when positions begin again at 0", () => {
  const { lookUp, append } = ringBeforeZero();
  for (let i = 0; i < 100; i++) {
    expect(lookUp("a", 0, 1e6)).toBe(i);
    append(i + 1);
  }
});

test("keeps what was noted before and after positions begin again at 0", () => {
  // 15/16 of the ring's 256; position 0 is nobody's, and takes a place of them while it is among them.
  const cases = [
    [30, 30],
    [100, 100],
    [239, 239],
    [240, 239],
    [278, 239],
    [279, 240],
    [400, 240],
  ] as const;
  for (const [noted, kept] of cases) {
    const { lookUp, note, timeOf } = ringBeforeZero();
    for (let i = 1; i <= noted; i++) note("a", i);
    expect(lookUp("a", 0, 1e6)).toBe(kept);
    expect([timeOf(1), timeOf(kept)]).toEqual([noted, noted - kept + 1]);
  }
});

test("processes that meet at every client admit exactly max to each", async () => {
  using folder = createFolder();
  const path = folder.path("windows");
  createWindowsFile(path);
  const processes = Array.from({ length: 3 }, () => startRingProcess(path, 50_000, 2));
  const granted = await Promise.all(processes.map((one) => one.granted()));
  for (let i = 0; i < 50_000; i++) {
    expect(granted.reduce((sum, of) => sum + of[i]!, 0)).toBe(RING_LIMIT.max);
  }
});

test("a process that is killed in the middle leaves the windows whole", async () => {
  using folder = createFolder();
  const path = folder.path("windows");
  createWindowsFile(path);
  const survivor = startRingProcess(path, 50_000, 40);
  for (let i = 0; i < 10; i++) {
    const victim = startRingProcess(path, 50_000, 1_000);
    await Bun.sleep(20 + 10 * i); // Somewhere between its start and its end.
    victim.kill();
    await victim.granted();
  }
  const granted = await survivor.granted();
  expect(Math.max(...granted)).toBeLessThanOrEqual(RING_LIMIT.max);
  const { admit } = openWindows(path, RING_LIMIT, { now: () => 0, doubtMs: 0 });
  for (let i = 0; i < 50_000; i++) expect(admit(`client ${i}`).granted).toBe(0);
});
