import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MailboxFullError } from "../../src/actor/actor.ts";
import { createBatcher } from "../../src/actor/batcher.ts";
import { askOf } from "../support/asking.ts";

/** A batcher whose batches are answered by hand: returns it and the batches it has sent. */
function manualBatcher(capacity = 100, batchMax = 100, paceMs = 0) {
  const clock = { nowMs: 1_000 };
  const waits: number[] = [];
  const sent: { batch: readonly string[]; answer: PromiseWithResolvers<(string | Error)[]> }[] = [];
  const due: (() => void)[] = [];
  const batcher = createBatcher<string, string>({
    name: "echo",
    capacity,
    batchMax,
    handle(batch) {
      const answer = Promise.withResolvers<(string | Error)[]>();
      sent.push({ batch, answer });
      return answer.promise;
    },
    paceMs,
    schedule(send, ms) {
      due.push(send);
      waits.push(ms);
    },
    now: () => clock.nowMs,
  });
  return {
    ...batcher,
    ask: askOf(batcher),
    tell: batcher.ask,
    clock,
    /** How long the batcher wanted to wait, each time. */
    waits,
    /** Lets the event loop turn once. */
    pass() {
      for (const run of due.splice(0)) run();
    },
    /** Lets it turn until whatever waits has been sent. */
    start() {
      while (due.length > 0) for (const run of due.splice(0)) run();
    },
    batches: () => sent.map(({ batch }) => batch),
    /** Answers batch `i` with its messages, or with what is given. */
    async settle(i: number, replies?: (string | Error)[]) {
      sent[i]!.answer.resolve(replies ?? [...sent[i]!.batch]);
      await turn();
    },
    async fail(i: number, fault: unknown) {
      sent[i]!.answer.reject(fault);
      await turn();
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Puts the end of a promise into a list, so that a test can see what has not ended. */
function watch(ends: unknown[], promise: Promise<unknown>): void {
  promise.then(
    (value) => ends.push(value),
    (fault) => ends.push(fault),
  );
}

describe("batcher", () => {
  test("sends those of one event-loop turn together and answers each with its own reply", async () => {
    const { ask, start, batches, settle } = manualBatcher();
    const replies = Promise.all([ask("a"), ask("b"), ask("c")]);
    expect(batches()).toEqual([]);
    start();
    expect(batches()).toEqual([["a", "b", "c"]]);
    await settle(0, ["A", "B", "C"]);
    expect(await replies).toEqual(["A", "B", "C"]);
  });

  test("waits with a batch while every turn brings somebody new, and no longer", () => {
    const { ask, pass, batches } = manualBatcher();
    watch([], ask("a"));
    watch([], ask("b"));
    for (const message of ["c", "d"]) {
      watch([], ask(message));
      pass();
      expect(batches()).toEqual([]);
    }
    pass();
    expect(batches()).toEqual([["a", "b", "c", "d"]]);
  });

  test("waits no longer once the batch is as large as it may be", () => {
    const { ask, pass, batches } = manualBatcher(10, 2);
    watch([], ask("a"));
    watch([], ask("b"));
    pass();
    expect(batches()).toEqual([["a", "b"]]);
  });

  test("sends a lone message after one turn", () => {
    const { ask, pass, batches } = manualBatcher();
    watch([], ask("a"));
    pass();
    expect(batches()).toEqual([["a"]]);
  });

  test("lets a batch wait until it is its time, and no longer than that", async () => {
    const { ask, pass, batches, settle, clock, waits } = manualBatcher(100, 100, 5);
    watch([], ask("a"));
    pass();
    await settle(0);
    clock.nowMs += 2;
    watch([], ask("b"));
    watch([], ask("c"));
    expect(waits).toEqual([0, 3]);
    clock.nowMs += 3;
    watch([], ask("d"));
    pass();
    expect(batches()).toEqual([["a"], ["b", "c", "d"]]);
    await settle(1);
    clock.nowMs += 5;
    watch([], ask("e"));
    expect(waits).toEqual([0, 3, 0]);
  });

  test("does not let a batch wait that is as large as it may be", async () => {
    const { ask, pass, settle, waits } = manualBatcher(10, 2, 5);
    for (const message of ["a", "b", "c", "d"]) watch([], ask(message));
    pass();
    await settle(0);
    expect(waits).toEqual([0, 0]);
  });

  test("has those in the next batch who ask again on being answered", async () => {
    const { ask, start, batches, settle } = manualBatcher();
    ask("a").then(() => ask("a again"));
    start();
    watch([], ask("b"));
    await settle(0);
    start();
    expect(batches()).toEqual([["a"], ["b", "a again"]]);
  });

  test("sends nobody twice who asks again while being told", async () => {
    const { tell, start, batches, settle, depth, waits } = manualBatcher();
    const told: string[] = [];
    const onFault = () => {};
    const again = { onReply: (reply: string) => void told.push(reply), onFault };
    tell("a", {
      onReply(reply) {
        told.push(reply);
        tell("a again", again);
      },
      onFault,
    });
    tell("b", again);
    start();
    const scheduled = waits.length;
    await settle(0);
    expect(waits.length).toBe(scheduled + 1);
    start();
    expect(batches()).toEqual([["a", "b"], ["a again"]]);
    await settle(1);
    expect(told).toEqual(["a", "b", "a again"]);
    expect(depth()).toBe(0);
  });

  test("collects the next batch while one is in flight, and never sends two at once", async () => {
    const { ask, start, batches, settle } = manualBatcher();
    const ends: unknown[] = [];
    watch(ends, ask("a"));
    start();
    for (const message of ["b", "c"]) watch(ends, ask(message));
    start();
    expect(batches()).toEqual([["a"]]);
    await settle(0);
    start();
    expect(batches()).toEqual([["a"], ["b", "c"]]);
    expect(ends).toEqual(["a"]);
    await settle(1);
    expect(ends).toEqual(["a", "b", "c"]);
  });

  test("starts anew after it was idle", async () => {
    const { ask, start, batches, settle } = manualBatcher();
    watch([], ask("a"));
    start();
    await settle(0);
    watch([], ask("b"));
    expect(batches()).toEqual([["a"]]);
    start();
    expect(batches()).toEqual([["a"], ["b"]]);
  });

  test("splits what waits into batches of at most batchMax, in order", async () => {
    const { ask, start, batches, settle } = manualBatcher(10, 2);
    for (const message of ["a", "b", "c", "d", "e"]) watch([], ask(message));
    start();
    await settle(0);
    start();
    await settle(1);
    start();
    expect(batches()).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  test("counts those in flight against the capacity", async () => {
    const { ask, start, settle, hasRoom, depth } = manualBatcher(2);
    watch([], ask("a"));
    start();
    expect([hasRoom(), depth()]).toEqual([true, 1]);
    watch([], ask("b"));
    expect([hasRoom(), depth()]).toEqual([false, 2]);
    const refused = await ask("c").catch((fault) => fault);
    expect(refused).toBeInstanceOf(MailboxFullError);
    expect(refused.message).toBe("echo: 2 waiting");
    await settle(0);
    expect([hasRoom(), depth()]).toEqual([true, 1]);
  });

  test("fails one message alone when its reply is an Error", async () => {
    const { ask, start, settle } = manualBatcher();
    const ends: unknown[] = [];
    for (const message of ["a", "b", "c"]) watch(ends, ask(message));
    start();
    const fault = new Error("only b");
    await settle(0, ["A", fault, "C"]);
    expect(ends).toEqual(["A", fault, "C"]);
  });

  test("fails every message of a batch that was rejected, and goes on with the next", async () => {
    const { ask, start, settle, fail, depth } = manualBatcher();
    const ends: unknown[] = [];
    for (const message of ["a", "b"]) watch(ends, ask(message));
    start();
    watch(ends, ask("c"));
    const fault = new Error("store away");
    await fail(0, fault);
    expect(ends).toEqual([fault, fault]);
    start();
    await settle(1);
    expect(ends).toEqual([fault, fault, "c"]);
    expect(depth()).toBe(0);
  });

  test("fails a message that got no reply, and even a rejection without a cause", async () => {
    const { ask, start, settle, fail } = manualBatcher();
    const ends: unknown[] = [];
    for (const message of ["a", "b"]) watch(ends, ask(message));
    start();
    await settle(0, ["A"]);
    expect(ends).toEqual(["A", new Error("echo: no reply for message 1")]);
    watch(ends, ask("c"));
    start();
    await fail(1, undefined);
    expect(ends[2]).toBeInstanceOf(Error);
  });

  test("answers every message exactly once, in batches in order of arrival", async () => {
    const steps = fc.array(fc.constantFrom("ask" as const, "pass" as const, "settle" as const));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        steps,
        async (capacity, batchMax, script) => {
          const { ask, pass, batches, settle, depth, hasRoom } = manualBatcher(capacity, batchMax);
          const ends: unknown[] = [];
          const accepted: string[] = [];
          let settled = 0;
          const settleNext = async () => {
            if (settled < batches().length) await settle(settled++);
          };
          for (const [i, step] of script.entries()) {
            if (step === "pass") pass();
            else if (step === "settle") await settleNext();
            else if (hasRoom()) {
              accepted.push(`${i}`);
              watch(ends, ask(`${i}`));
            } else await expect(ask(`${i}`)).rejects.toBeInstanceOf(MailboxFullError);
            expect(depth()).toBeLessThanOrEqual(capacity);
            expect(batches().length - settled).toBeLessThanOrEqual(1);
          }
          while (depth() > 0) {
            pass();
            await settleNext();
          }
          expect(batches().flat()).toEqual(accepted);
          expect(ends).toEqual(accepted);
          expect(Math.max(0, ...batches().map((batch) => batch.length))).toBeLessThanOrEqual(
            batchMax,
          );
        },
      ),
    );
  });
});
