import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createChildren } from "../../bench/children.ts";
import { createCpuClock } from "../../bench/cpu.ts";
import { watchMemory } from "../../bench/memory.ts";
import { isRunning, processOf } from "../support/processes.ts";
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
    command: ["sleep", "60"],
    readyWhen: /never/,
  });
  const stopped = group.stopAll();
  await expect(starting).rejects.toThrow("slow was stopped before it was ready");
  await stopped;
  expect(await children.lastWords()).toEqual([]);
});

const onLinux = test.skipIf(process.platform !== "linux");

onLinux("a run that is killed leaves no process and no folder behind", async () => {
  const script = `
    import { createChildren } from ${JSON.stringify(join(import.meta.dir, "../../bench/children.ts"))};
    const children = createChildren();
    const begin = (name, command) =>
      children.group().start({ name, command: ["sh", "-c", command], readyWhen: /ready/ });
    await (await begin("ended-before", "echo ready; exec sleep 60")).stop();
    const { pid } = await begin("sleeper", "echo ready; exec sleep 60");
    console.log(JSON.stringify({ pid, dir: children.dir }));
    await Bun.sleep(60_000);
  `;
  await using run = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await run.stdout.getReader().read();
  const { pid, dir } = JSON.parse(new TextDecoder().decode(value));
  const child = processOf(pid)!;
  expect(isRunning(child)).toBe(true);
  run.kill("SIGKILL");
  await until("its child is gone", () => !isRunning(child));
  await until("its folder is gone", () => !existsSync(dir));
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
