import { describe, expect, test } from "bun:test";
import { createActor, MailboxFullError } from "../../src/actor/actor.ts";

/** An actor that runs only when the test says so, with the faults that nobody awaited. */
function manualActor<Message, Reply>(capacity: number, handle: (message: Message) => Reply) {
  const faults: unknown[] = [];
  const due: (() => void)[] = [];
  const actor = createActor<Message, Reply>({
    name: "counter",
    capacity,
    handle,
    onFault: (fault) => faults.push(fault),
    schedule: (drain) => due.push(drain),
  });
  const run = () => {
    for (const drain of due.splice(0)) drain();
  };
  return { ...actor, faults, run };
}

/** Whether a promise has settled once everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  promise.then(mark, mark);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe("actor", () => {
  test("answers each ask with its own reply, in order", async () => {
    let sum = 0;
    const { tell, ask, run } = manualActor(4, (by: number) => {
      sum += by;
      return sum;
    });
    tell(0);
    const replies = [ask(1), ask(2), ask(3)];
    run();
    expect(await Promise.all(replies)).toEqual([1, 3, 6]);
  });

  test("answers an ask at once where nothing waits before it", () => {
    const { ask, depth, run } = manualActor(1, (by: number) => by * 2);
    expect([ask(1), ask(2), depth()]).toEqual([2, 4, 0]);
    run();
  });

  test("throws at once what handle throws at once, and goes on", () => {
    const { ask } = manualActor(1, (by: number) => {
      if (by < 0) throw new RangeError("negative");
      return by;
    });
    expect(() => ask(-1)).toThrow(new RangeError("negative"));
    expect(ask(1)).toBe(1);
  });

  test("lets what it asks of itself wait until it has returned", async () => {
    const steps: string[] = [];
    let later: unknown;
    const actor = manualActor<string, string>(1, (message) => {
      steps.push(`${message} begins`);
      if (message === "outer") later = actor.ask("inner");
      steps.push(`${message} ends`);
      return message;
    });
    expect(actor.ask("outer")).toBe("outer");
    actor.run();
    expect(await later).toBe("inner");
    expect(steps).toEqual(["outer begins", "outer ends", "inner begins", "inner ends"]);
  });

  test("does not let the next message wait for a promise that handle returned", async () => {
    const first = Promise.withResolvers<string>();
    const { ask, run } = manualActor(2, (message: string) =>
      message === "first" ? first.promise : Promise.resolve(message),
    );
    const slow = ask("first");
    const quick = ask("second");
    run();
    expect(await quick).toBe("second");
    expect(await isSettled(slow)).toBe(false);
    first.resolve("late");
    expect(await slow).toBe("late");
  });

  test("rejects an ask with what handle threw or rejected with, and only that ask", async () => {
    const { tell, ask, run, faults } = manualActor(4, (message: string) => {
      if (message === "throws") throw new Error("thrown");
      return message === "rejects" ? Promise.reject(new Error("rejected")) : message;
    });
    tell("first");
    const asked = Promise.allSettled([ask("throws"), ask("rejects"), ask("fine")]);
    run();
    expect(await asked).toEqual([
      { status: "rejected", reason: new Error("thrown") },
      { status: "rejected", reason: new Error("rejected") },
      { status: "fulfilled", value: "fine" },
    ]);
    expect(faults).toEqual([]);
  });

  test("reports a fault on a message that nobody awaits", () => {
    const { tell, run, faults } = manualActor(2, () => {
      throw "broken";
    });
    expect(tell("a")).toBe(true);
    run();
    expect(faults).toEqual(["broken"]);
  });

  test("reports a rejection on a message that nobody awaits", async () => {
    const { tell, run, faults } = manualActor(2, () => Promise.reject("broken later"));
    tell("a");
    run();
    await isSettled(Promise.resolve());
    expect(faults).toEqual(["broken later"]);
  });

  test("refuses beyond capacity: tell says false, ask rejects with MailboxFullError", async () => {
    const handled: string[] = [];
    const { tell, ask, run, depth } = manualActor(1, (message: string) => handled.push(message));
    expect([tell("a"), tell("b"), depth()]).toEqual([true, false, 1]);
    const refused = await Promise.resolve(ask("c")).catch((fault) => fault);
    expect(refused).toBeInstanceOf(MailboxFullError);
    expect(refused.message).toBe("counter: 1 waiting");
    run();
    expect(handled).toEqual(["a"]);
  });

  test("drains when everything told before has been handled, not before", async () => {
    const handled: string[] = [];
    const { tell, drain, run } = manualActor(5, (message: string) => handled.push(message));
    tell("a");
    const drained = drain().then(() => [...handled]);
    tell("b");
    expect(await isSettled(drained)).toBe(false);
    run();
    expect(await drained).toContain("a");
  });

  test("drains an idle actor", async () => {
    const { drain, run } = manualActor(1, () => {});
    const drained = drain();
    run();
    expect(await isSettled(drained)).toBe(true);
  });

  test("drains a full mailbox once it has room", async () => {
    const handled: string[] = [];
    const { tell, drain, run } = manualActor(1, (message: string) => handled.push(message));
    tell("a");
    const drained = drain();
    expect(await isSettled(drained)).toBe(false);
    run();
    await isSettled(Promise.resolve());
    run();
    await drained;
    expect(handled).toEqual(["a"]);
  });

  test("finishes the backlog on stop and refuses what comes after", async () => {
    const handled: string[] = [];
    const { tell, ask, stop, run } = manualActor(5, (message: string) => handled.push(message));
    tell("a");
    const stopped = stop();
    expect(tell("b")).toBe(false);
    const refused = await Promise.resolve(ask("c")).catch((fault) => fault);
    expect(refused).toBeInstanceOf(MailboxFullError);
    expect(refused.message).toBe("counter: stopped");
    run();
    await stopped;
    expect(handled).toEqual(["a"]);
  });
});
