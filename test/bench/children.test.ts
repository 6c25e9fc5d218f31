import { afterAll, expect, test } from "bun:test";
import { createChildren } from "../../bench/children.ts";
import { createCpuClock } from "../../bench/cpu.ts";
import { watchMemory } from "../../bench/memory.ts";
import { processOf } from "../support/processes.ts";
import { until } from "../support/until.ts";

const children = createChildren();
afterAll(() => children.stopAll());

test.skipIf(process.platform !== "linux")(
  "a process that ends under the load is named, and what it said last can be read until it is stopped",
  async () => {
    const group = children.group();
    const child = await group.start({
      name: "short-lived",
      command: ["sh", "-c", "echo ready; echo out of luck >&2; exec sleep 60"],
      readyWhen: /luck/,
    });
    const memory = watchMemory([child.pid]);
    process.kill(child.pid, "SIGKILL");
    await until("it is gone", () => processOf(child.pid) === undefined);

    const gone = `process ${child.pid} is gone`;
    expect(() => createCpuClock().of([child.pid])).toThrow(gone);
    expect(() => memory.stop()).toThrow(gone);
    expect(await children.lastWords()).toEqual(["short-lived said last:\nready\nout of luck\n"]);
    await group.stopAll();
    expect(await children.lastWords()).toEqual([]);
  },
);

test("a process that does not start is told of once, with its words", async () => {
  const group = children.group();
  const starting = group.start({
    name: "stillborn",
    command: ["sh", "-c", "echo no luck at all; exit 1"],
    readyWhen: /ready/,
  });
  await expect(starting).rejects.toThrow("stillborn did not start; it said:\nno luck at all\n");
  expect(await children.lastWords()).toEqual([]);
});

test("all are stopped once: who asks again waits, too, and nothing is started behind them", async () => {
  const own = createChildren();
  const sleeper = { command: ["sh", "-c", "echo ready; exec sleep 60"], readyWhen: /ready/ };
  const group = own.group();
  const { pid } = await group.start({ name: "sleeper", ...sleeper });
  const first = own.stopAll();
  const late = group.start({ name: "late", ...sleeper });
  await expect(late).rejects.toThrow("late is not started: all are being stopped");
  await own.stopAll();
  expect(processOf(pid)).toBeUndefined();
  await first;
});

test("a group ends the members that are still starting", async () => {
  const group = children.group();
  const starting = group.start({
    name: "slow",
    command: ["sh", "-c", "echo $$; exec sleep 60"],
    readyWhen: /never/,
  });
  const refused = expect(starting).rejects.toThrow();
  await group.stopAll();
  await refused;
  expect(await children.lastWords()).toEqual([]);
});

test("of a long log only the end is read", async () => {
  const group = children.group();
  await group.start({
    name: "talker",
    command: ["sh", "-c", "seq 100000; echo ready; exec sleep 60"],
    readyWhen: /ready/,
  });
  const [words] = await children.lastWords();
  expect(words).toEndWith("\n100000\nready\n");
  expect(words!.length).toBeLessThan(3_000);
  await group.stopAll();
});
