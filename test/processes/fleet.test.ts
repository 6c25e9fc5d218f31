import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config.ts";
import { createLogger } from "../../src/log.ts";
import { createFleet } from "../../src/processes/fleet.ts";
import type { StartOrder } from "../../src/processes/messages.ts";
import type { WorkerEnd } from "../../src/processes/restart-policy.ts";
import type { WorkerProcess, WorkerProcessOptions } from "../../src/processes/worker-process.ts";
import { until } from "../support/until.ts";

const KILLED: WorkerEnd = { code: null, signal: "SIGKILL", servedMs: 60_000 };
const CRASHED: WorkerEnd = { code: 1, signal: null, servedMs: 0 };

/** A job that a worker was given. */
interface Job {
  readonly slot: number;
  readonly name: string;
  readonly done: () => void;
  readonly fail: (fault: Error) => void;
}

/** A worker without a process: it does what the test says. */
interface FakeWorker extends WorkerProcess {
  readonly options: WorkerProcessOptions;
  readonly say: (state: "ready" | WorkerEnd) => void;
  readonly told: string[];
}

/** A fleet of fakes. */
function createFakes(size = 3, refreshMsMax?: number) {
  const workers: FakeWorker[] = [];
  const jobs: Job[] = [];
  const ended: string[] = [];
  let producers = 0;
  let timesGivenUp = 0;

  function spawn(options: WorkerProcessOptions): WorkerProcess {
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => {});
    const end = Promise.withResolvers<WorkerEnd>();
    let state: ReturnType<WorkerProcess["state"]> = "starting";
    const told: string[] = [];
    const give = (name: string) =>
      new Promise<void>((done, fail) => {
        jobs.push({ slot: options.order.slot, name, done, fail });
      });
    function say(what: "ready" | WorkerEnd): void {
      if (what === "ready") {
        state = "serving";
        return ready.resolve();
      }
      state = "ended";
      ready.reject(new Error("ended"));
      options.onEnded();
      end.resolve(what);
    }
    const worker: FakeWorker = {
      options,
      say,
      told,
      pid: workers.length + 1,
      state: () => state,
      stop: () => void told.push("stop"),
      refresh: () => give("refresh"),
      drain: (isStoreBack) => give(isStoreBack ? "recheck" : "drain"),
      kill() {
        told.push("kill");
        say(KILLED);
      },
      ready: ready.promise,
      ended: end.promise,
      checkPulse: () => true,
    };
    workers.push(worker);
    return worker;
  }

  const fleet = createFleet({
    size,
    orderFor: (slot): StartOrder => ({
      config: loadConfig({}),
      port: 0,
      slot,
      producer: `p${++producers}`,
      journalPath: "",
      isStoreReady: true,
      catalogPath: "",
      windowsPath: undefined,
    }),
    answer: async () => null,
    onEnded: (producer) => ended.push(producer),
    onGiveUp: () => timesGivenUp++,
    logger: createLogger({ level: "silent", name: "test", isTerminal: false }),
    ...(refreshMsMax !== undefined && { refreshMsMax }),
    spawn,
  });
  const given = () => jobs.map(({ slot, name }) => `${name} ${slot}`);
  const nextJob = async (count: number) => {
    await until(`job ${count}`, () => jobs.length === count);
    return jobs[count - 1]!;
  };
  /** Ends what the fleet waits for. */
  const dispose = () => {
    for (const worker of workers) if (worker.state() !== "ended") worker.say(KILLED);
    return fleet.stop(0);
  };
  const figures = { workers, jobs, ended, given, nextJob, timesGivenUp: () => timesGivenUp };
  return { ...fleet, ...figures, [Symbol.asyncDispose]: dispose };
}

async function startFakes(size?: number, refreshMsMax?: number) {
  const fakes = createFakes(size, refreshMsMax);
  const started = fakes.start();
  for (const worker of fakes.workers) worker.say("ready");
  await started;
  return fakes;
}

describe("a fleet", () => {
  test("has started when every slot has a worker that listens", async () => {
    await using fakes = createFakes();
    let isStarted = false;
    const started = fakes.start().then(() => {
      isStarted = true;
    });
    expect(fakes.workers.map(({ options }) => options.order.slot)).toEqual([1, 2, 3]);
    fakes.workers[0]!.say("ready");
    fakes.workers[1]!.say(KILLED);
    fakes.workers[2]!.say("ready");
    await until("a replacement", () => fakes.workers.length === 4);
    expect(isStarted).toBeFalse();
    fakes.workers[3]!.say("ready");
    await started;
    expect(fakes.pids()).toEqual([1, 4, 3]);
  });

  test("does not start where a worker says that it cannot", async () => {
    await using fakes = createFakes();
    const started = fakes.start();
    fakes.workers[1]!.options.onFatal("the disk refuses");
    await expect(started).rejects.toThrow("the disk refuses");
  });

  test("fills a slot again, by another producer, and tells of the one that ended", async () => {
    await using fakes = await startFakes();
    fakes.workers[1]!.say(KILLED);
    expect(fakes.ended).toEqual(["p2"]);
    await until("a replacement", () => fakes.workers.length === 4);
    const { slot, producer } = fakes.workers[3]!.options.order;
    expect([slot, producer]).toEqual([2, "p4"]);
  });

  test("gives up after five crashes", async () => {
    await using fakes = createFakes(5);
    const started = fakes.start();
    for (const worker of fakes.workers.slice()) worker.say(CRASHED);
    await expect(started).rejects.toThrow("five workers crashed within a minute");
    expect(fakes.timesGivenUp()).toBe(1);
  });

  test("kills whoever has not finished in time, when it stops", async () => {
    await using fakes = await startFakes(2);
    const stopped = fakes.stop(1);
    expect(fakes.workers.map(({ told }) => told)).toEqual([["stop"], ["stop"]]);
    fakes.workers[0]!.say({ code: 0, signal: null, servedMs: 1 });
    await stopped;
    expect(fakes.workers.map(({ told }) => told)).toEqual([["stop"], ["stop", "kill"]]);
  });
});

describe("a changed catalog", () => {
  test("is read by one worker after the other", async () => {
    await using fakes = await startFakes();
    const refreshed = fakes.refresh();
    for (let count = 1; count <= 3; count++) {
      const { done } = await fakes.nextJob(count);
      expect(fakes.given().at(-1)).toBe(`refresh ${count}`);
      done();
    }
    await refreshed;
    expect(fakes.jobs).toHaveLength(3);
  });

  test("is read once more where it changed while it was read", async () => {
    await using fakes = await startFakes(1);
    const first = fakes.refresh();
    const others = [fakes.refresh(), fakes.refresh()];
    (await fakes.nextJob(1)).done();
    await first;
    (await fakes.nextJob(2)).done();
    await Promise.all(others);
    expect(fakes.jobs).toHaveLength(2);
  });

  test("keeps nobody waiting for a worker that cannot read it", async () => {
    await using fakes = await startFakes();
    const refreshed = fakes.refresh();
    (await fakes.nextJob(1)).fail(new Error("out of memory"));
    (await fakes.nextJob(2)).done();
    (await fakes.nextJob(3)).done();
    await refreshed;
    expect(fakes.given()).toEqual(["refresh 1", "refresh 2", "refresh 3"]);
  });

  test("keeps nobody waiting for longer than the limit", async () => {
    await using fakes = await startFakes(2, 1);
    await fakes.refresh(); // Nobody says that it is done.
    expect(fakes.given()).toEqual(["refresh 1", "refresh 2"]);
  });
});

describe("an order to count", () => {
  test("goes to every worker at once, and is done when all are", async () => {
    await using fakes = await startFakes();
    let isDone = false;
    const drained = fakes.drain(true).then(() => {
      isDone = true;
    });
    expect(fakes.given()).toEqual(["recheck 1", "recheck 2", "recheck 3"]);
    fakes.jobs[0]!.done();
    fakes.jobs[1]!.done();
    await Bun.sleep(0);
    expect(isDone).toBeFalse();
    fakes.jobs[2]!.done();
    await drained;
  });

  test("fails when a worker cannot", async () => {
    await using fakes = await startFakes(2);
    const drained = fakes.drain(false);
    fakes.jobs[0]!.done();
    fakes.jobs[1]!.fail(new Error("p2: the store does not answer"));
    await expect(drained).rejects.toThrow("p2: the store does not answer");
  });

  test("passes over a worker that has ended", async () => {
    await using fakes = await startFakes(2);
    fakes.workers[0]!.say(KILLED);
    const drained = fakes.drain(false);
    expect(fakes.given()).toEqual(["drain 2"]);
    fakes.jobs[0]!.done();
    await drained;
  });
});
