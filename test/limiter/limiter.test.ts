import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MailboxFullError } from "../../src/actor/actor.ts";
import { createDenyCache } from "../../src/limiter/deny-cache.ts";
import { createLimiter, type Verdict } from "../../src/limiter/limiter.ts";
import type { AdmitEntry, AdmitResult } from "../../src/store/store.ts";
import { verdictOf } from "../support/asking.ts";
import { admitIn, windowsOf } from "../support/windows.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

interface Setup {
  capacity?: number;
  batchMax?: number;
}

/** A limiter whose clock, schedule and store move by hand, with the batches it has sent. */
function manualLimiter({ capacity = 100, batchMax }: Setup = {}) {
  let nowMs = 1_000;
  const sent: AdmitEntry[][] = [];
  const answers: PromiseWithResolvers<AdmitResult[]>[] = [];
  const due: (() => void)[] = [];
  const now = () => nowMs;
  const limiter = createLimiter({
    admit(entries) {
      sent.push([...entries]);
      const answer = Promise.withResolvers<AdmitResult[]>();
      answers.push(answer);
      return answer.promise;
    },
    denied: createDenyCache(100, now),
    capacity,
    ...(batchMax !== undefined && { batchMax }),
    now,
    schedule: (send) => due.push(send),
  });
  return {
    ...limiter,
    admit: verdictOf(limiter),
    sent,
    send: () => {
      while (due.length > 0) for (const run of due.splice(0)) run();
    },
    async answer(i: number, ...results: AdmitResult[]) {
      answers[i]!.resolve(results);
      await turn();
    },
    async fail(i: number, fault: unknown) {
      answers[i]!.reject(fault);
      await turn();
    },
    advance(ms: number) {
      nowMs += ms;
    },
  };
}

const result = (granted: number, remaining: number, resetMs = 60_000): AdmitResult => ({
  granted,
  remaining,
  resetMs,
});

describe("limiter", () => {
  test("asks the store once for everybody who waits, each client once", async () => {
    const { admit, send, sent, answer } = manualLimiter();
    const verdicts = Promise.all([admit("a"), admit("b"), admit("a")]);
    send();
    expect(sent).toEqual([
      [
        { client: "a", wanted: 2 },
        { client: "b", wanted: 1 },
      ],
    ]);
    await answer(0, result(2, 1), result(1, 2));
    expect(await verdicts).toEqual([
      { isAdmitted: true, remaining: 2, resetMs: 60_000 },
      { isAdmitted: true, remaining: 2, resetMs: 60_000 },
      { isAdmitted: true, remaining: 1, resetMs: 60_000 },
    ]);
  });

  test("gives the admissions of a client to its first requests of the batch", async () => {
    const { admit, send, answer } = manualLimiter();
    const verdicts = Promise.all([admit("a"), admit("a"), admit("a")]);
    send();
    await answer(0, result(2, 0, 1_234.5));
    expect(await verdicts).toEqual([
      { isAdmitted: true, remaining: 1, resetMs: 1_234.5 },
      { isAdmitted: true, remaining: 0, resetMs: 1_234.5 },
      { isAdmitted: false, remaining: 0, resetMs: 1_234.5 },
    ]);
  });

  test("collects the next batch while one is in flight", async () => {
    const { admit, send, sent, answer } = manualLimiter();
    const first = admit("a");
    send();
    const later = [admit("b"), admit("a")];
    send();
    expect(sent.length).toBe(1);
    await answer(0, result(1, 2));
    await first;
    send();
    expect(sent[1]).toEqual([
      { client: "b", wanted: 1 },
      { client: "a", wanted: 1 },
    ]);
    await answer(1, result(1, 2), result(1, 1));
    expect((await Promise.all(later)).map(({ remaining }) => remaining)).toEqual([2, 1]);
  });

  test("sends at most batchMax requests in one call", async () => {
    const { admit, send, sent, answer } = manualLimiter({ batchMax: 2 });
    for (const client of ["a", "b", "c"]) admit(client);
    send();
    await answer(0, result(1, 2), result(1, 2));
    send();
    expect(sent.map((entries) => entries.map(({ client }) => client))).toEqual([["a", "b"], ["c"]]);
  });

  test("refuses a client from memory, without the store, until its time is over", async () => {
    const { admit, send, sent, answer, advance } = manualLimiter();
    const last = admit("a");
    send();
    await answer(0, result(1, 0, 10_000));
    await last;
    advance(4_000);
    const refused = admit("a") as Verdict;
    expect(refused).toMatchObject({ isAdmitted: false, remaining: 0 });
    expect(refused.resetMs).toBeCloseTo(10_000 * 0.9995 - 4_000, 6);
    advance(6_000);
    expect(admit("a")).toBeInstanceOf(Promise);
    send();
    expect(sent[1]).toEqual([{ client: "a", wanted: 1 }]);
  });

  test("anchors what it remembers at the time of the call, not of the answer", async () => {
    const { admit, send, answer, advance } = manualLimiter();
    const asked = admit("a");
    send();
    advance(5_000); // The store decided at some time of these five seconds.
    await answer(0, result(0, 0, 6_000));
    await asked;
    expect((admit("a") as Verdict).resetMs).toBeLessThanOrEqual(1_000);
  });

  test("does not remember a client that has admissions left", async () => {
    const { admit, send, answer } = manualLimiter();
    const asked = admit("a");
    send();
    await answer(0, result(1, 1));
    await asked;
    expect(admit("a")).toBeInstanceOf(Promise);
  });

  test("does not remember a verdict that was reached without the store", async () => {
    const { admit, send, answer } = manualLimiter();
    const asked = admit("a");
    send();
    const local = { ...result(0, 0), isLocal: true };
    await answer(0, local);
    expect(await asked).toMatchObject({ isAdmitted: false, remaining: 0 });
    expect(admit("a")).toBeInstanceOf(Promise);
  });

  test("refuses beyond its capacity with MailboxFullError, and has room again after", async () => {
    const { admit, send, answer, hasRoom } = manualLimiter({ capacity: 2 });
    admit("a");
    admit("b");
    expect(hasRoom()).toBe(false);
    await expect(admit("c") as Promise<Verdict>).rejects.toBeInstanceOf(MailboxFullError);
    send();
    await answer(0, result(1, 2), result(1, 2));
    expect(hasRoom()).toBe(true);
  });

  test("fails everybody of a batch that the store rejected, and admits nobody of it", async () => {
    const { admit, send, answer, fail } = manualLimiter();
    const asked = Promise.allSettled([admit("a"), admit("b")]);
    send();
    const fault = new Error("store away");
    await fail(0, fault);
    expect(await asked).toEqual([
      { status: "rejected", reason: fault },
      { status: "rejected", reason: fault },
    ]);
    const next = admit("a");
    send();
    await answer(1, result(1, 2));
    expect(await next).toMatchObject({ isAdmitted: true });
  });

  test("fails everybody of a batch that the store answered with too few results", async () => {
    const { admit, send, answer } = manualLimiter();
    const asked = Promise.allSettled([admit("a"), admit("b")]);
    send();
    await answer(0, result(1, 2));
    expect((await asked).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("keeps clients apart that are named like object members", async () => {
    const { admit, send, sent, answer } = manualLimiter();
    const asked = Promise.all([admit("__proto__"), admit("constructor"), admit("__proto__")]);
    send();
    expect(sent[0]).toEqual([
      { client: "__proto__", wanted: 2 },
      { client: "constructor", wanted: 1 },
    ]);
    await answer(0, result(1, 0), result(1, 2));
    expect((await asked).map(({ isAdmitted }) => isAdmitted)).toEqual([true, true, false]);
  });
});

describe("limiter with windows as its store", () => {
  const WINDOW_MS = 1_000;
  const step = fc.record({
    thenMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 }), fc.constant(WINDOW_MS)),
    client: fc.constantFrom("a", "b"),
    requests: fc.integer({ min: 1, max: 5 }),
  });

  test("admits as a sliding window does: never more than max, and whenever there is room", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { maxLength: 30 }),
        async (max, batchMax, steps) => {
          let nowMs = 0;
          const now = () => nowMs;
          const windows = windowsOf({ max, windowMs: WINDOW_MS }, now, 256);
          const limiter = createLimiter({
            admit: async (entries) => entries.map(admitIn(windows)),
            denied: createDenyCache(1, now),
            capacity: 100,
            batchMax,
            now,
            schedule: queueMicrotask,
          });
          const admit = verdictOf(limiter);
          const admittedAt = new Map<string, number[]>([
            ["a", []],
            ["b", []],
          ]);
          for (const { thenMs, client, requests } of steps) {
            nowMs += thenMs;
            const times = admittedAt.get(client)!;
            const asked = Array.from({ length: requests }, () => admit(client));
            for (const verdict of await Promise.all(asked)) {
              const inWindow = times.filter((atMs) => atMs > nowMs - WINDOW_MS).length;
              // The deny cache lets go half a millisecond a second early, never late.
              expect(verdict.isAdmitted).toBe(inWindow < max);
              if (verdict.isAdmitted) {
                times.push(nowMs);
                expect(verdict.remaining).toBe(max - inWindow - 1);
              }
              expect(verdict.resetMs).toBeGreaterThan(0);
              expect(verdict.resetMs).toBeLessThanOrEqual(WINDOW_MS);
            }
          }
        },
      ),
    );
  });

  test("never admits more than max in any window when the store is slow", async () => {
    const slowStep = fc.record({ kind: fc.nat(2), client: fc.nat(1), ms: fc.nat(500) });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(slowStep), async (max, steps) => {
        let nowMs = 0;
        const now = () => nowMs;
        const windows = windowsOf({ max, windowMs: WINDOW_MS }, now, 256);
        const answers: (() => void)[] = [];
        const limiter = createLimiter({
          admit(entries) {
            const results = entries.map(admitIn(windows)); // Decided now, told later.
            return new Promise((resolve) => answers.push(() => resolve(results)));
          },
          denied: createDenyCache(10, now),
          capacity: 1_000,
          now,
          schedule: queueMicrotask,
        });
        const admit = verdictOf(limiter);
        const admitted: { client: string; fromMs: number; toMs: number }[] = [];
        for (const { kind, client: number, ms } of steps) {
          const client = `${number}`;
          if (kind === 0) answers.shift()?.();
          else if (kind === 1) nowMs += ms;
          else {
            const fromMs = nowMs;
            Promise.resolve(admit(client)).then(({ isAdmitted }) => {
              if (isAdmitted) admitted.push({ client, fromMs, toMs: nowMs });
            });
          }
          await turn();
        }
        for (const { client, fromMs } of admitted) {
          const together = admitted.filter(
            (other) =>
              other.client === client && other.fromMs >= fromMs && other.toMs < fromMs + WINDOW_MS,
          );
          expect(together.length).toBeLessThanOrEqual(max);
        }
      }),
    );
  });
});
