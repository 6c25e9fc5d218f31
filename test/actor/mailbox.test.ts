import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createMailbox } from "../../src/actor/mailbox.ts";

/** Drains only when the test says so: every interleaving is written out, none is slept for. */
function manualMailbox<Message>(capacity: number, receive: (message: Message) => void) {
  const faults: [fault: unknown, message: Message][] = [];
  const due: (() => void)[] = [];
  const mailbox = createMailbox<Message>({
    capacity,
    receive,
    onFault: (fault, message) => faults.push([fault, message]),
    schedule: (drain) => due.push(drain),
  });
  const drain = () => {
    for (const run of due.splice(0)) run();
  };
  return { ...mailbox, faults, drain, scheduled: () => due.length };
}

describe("mailbox", () => {
  test("hands messages over in the order of arrival, in one drain", () => {
    const received: string[] = [];
    const { tell, drain, scheduled } = manualMailbox<string>(3, (m) => received.push(m));
    for (const message of ["a", "b", "c"]) tell(message);
    expect([received.length, scheduled()]).toEqual([0, 1]);
    drain();
    expect(received).toEqual(["a", "b", "c"]);
  });

  test("refuses a message beyond capacity and accepts again after a drain", () => {
    const received: string[] = [];
    const { tell, drain, depth } = manualMailbox<string>(1, (m) => received.push(m));
    expect([tell("a"), tell("b"), depth()]).toEqual([true, false, 1]);
    drain();
    expect([depth(), tell("c")]).toEqual([0, true]);
    drain();
    expect(received).toEqual(["a", "c"]);
  });

  test("reports a receive that threw and handles the next message", () => {
    const received: string[] = [];
    const fault = new Error("no");
    const { tell, drain, faults } = manualMailbox<string>(3, (message) => {
      if (message === "bad") throw fault;
      received.push(message);
    });
    for (const message of ["a", "bad", "b"]) tell(message);
    drain();
    expect(received).toEqual(["a", "b"]);
    expect(faults).toEqual([[fault, "bad"]]);
  });

  test("handles what a handler told its own mailbox after everything told before", () => {
    const received: string[] = [];
    const { tell, drain, scheduled } = manualMailbox<string>(3, (message) => {
      received.push(message);
      if (message === "a") tell("from a");
    });
    for (const message of ["a", "b"]) tell(message);
    drain();
    expect(received).toEqual(["a", "b", "from a"]);
    expect(scheduled()).toBe(0);
  });

  test("never enters receive while receive runs, even when schedule drains at once", () => {
    const received: number[] = [];
    let running = 0;
    let runningMost = 0;
    const { tell } = createMailbox<number>({
      capacity: 3,
      receive(message) {
        runningMost = Math.max(runningMost, ++running);
        received.push(message);
        if (message < 5) tell(message + 1);
        running--;
      },
      onFault: (fault) => {
        throw fault;
      },
      schedule: (drain) => drain(),
    });
    tell(1);
    expect(received).toEqual([1, 2, 3, 4, 5]);
    expect(runningMost).toBe(1);
  });

  test("drains by itself when no schedule is given", async () => {
    const received: string[] = [];
    const { tell } = createMailbox<string>({
      capacity: 1,
      receive: (m) => received.push(m),
      onFault: () => {},
    });
    tell("a");
    expect(received).toEqual([]);
    await Promise.resolve();
    expect(received).toEqual(["a"]);
  });

  test("behaves like a bounded queue under any sequence of tells, faults and drains", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("good" as const, "bad" as const) },
      { weight: 1, arbitrary: fc.constant("drain" as const) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step), (capacity, steps) => {
        const received: string[] = [];
        const { tell, drain, depth, faults } = manualMailbox<string>(capacity, (message) => {
          received.push(message);
          if (message.startsWith("bad")) throw message;
        });
        const accepted: string[] = [];
        let waiting = 0;
        const tellOne = (message: string) => {
          const hasRoom = waiting < capacity;
          expect(tell(message)).toBe(hasRoom);
          if (hasRoom) waiting = accepted.push(message) - received.length;
        };
        for (const [i, next] of [...steps, "drain" as const].entries()) {
          if (next !== "drain") tellOne(`${next} ${i}`);
          else {
            drain();
            waiting = 0;
          }
          expect(depth()).toBe(waiting);
        }
        expect(received).toEqual(accepted);
        const bad = accepted.filter((message) => message.startsWith("bad"));
        expect(faults).toEqual(bad.map((message) => [message, message]));
      }),
    );
  });
});
