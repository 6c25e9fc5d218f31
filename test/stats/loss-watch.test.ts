import { expect, test } from "bun:test";
import { createLossWatch } from "../../src/stats/loss-watch.ts";
import { offsetField, TOTAL } from "../../src/store/counters.ts";
import type { Counters } from "../../src/store/store.ts";

/** A watch over a store that a test writes down, with what was reported. */
function watchOver(initial: Record<string, Record<string, string>>) {
  const toCounters = (supplies: typeof initial) =>
    new Map<string, Counters>(
      Object.entries(supplies).map(([id, fields]) => [id, new Map(Object.entries(fields))]),
    );
  let held = toCounters(initial);
  const reported: bigint[] = [];
  const watch = createLossWatch({
    read: async () => held,
    isOwn: (producer) => producer.startsWith("own-"),
    onLost: (auctions) => reported.push(auctions),
  });
  const become = (supplies: typeof initial) => {
    held = toCounters(supplies);
  };
  return { ...watch, reported, become };
}

test("reports nothing while the store only grows", async () => {
  const watch = watchOver({ s: { [TOTAL]: "10" } });
  await watch.compare();
  watch.become({ s: { [TOTAL]: "14", [offsetField("own-1")]: "4" }, t: { [TOTAL]: "1" } });
  await watch.compare();
  expect(watch.reported).toEqual([]);
  expect(watch.lost()).toBe(0n);
});

test("reports what earlier runs counted and an emptied store holds no more", async () => {
  const watch = watchOver({ s: { [TOTAL]: "110", [offsetField("own-1")]: "10" } });
  await watch.compare();
  watch.become({ s: { [TOTAL]: "10", [offsetField("own-1")]: "10" } });
  await watch.compare();
  expect(watch.reported).toEqual([100n]);
});

test("reports what our own journals no longer held", async () => {
  const watch = watchOver({ s: { [TOTAL]: "10", [offsetField("own-1")]: "10" } });
  await watch.compare();
  watch.become({ s: { [TOTAL]: "4", [offsetField("own-1")]: "10" } });
  await watch.compare();
  expect(watch.reported).toEqual([6n]);
});

test("reports what is gone of a supply that had counted nothing before", async () => {
  const watch = watchOver({});
  await watch.compare();
  watch.become({ s: { [TOTAL]: "1", [offsetField("own-1")]: "2", [offsetField("own-2")]: "3" } });
  await watch.compare();
  expect(watch.reported).toEqual([4n]);
});

test("reports a loss once, and the next one again", async () => {
  const watch = watchOver({ s: { [TOTAL]: "9" } });
  await watch.compare();
  watch.become({ s: { [TOTAL]: "7" } });
  await watch.compare();
  await watch.compare();
  watch.become({});
  await watch.compare();
  expect(watch.reported).toEqual([2n, 7n]);
  expect(watch.lost()).toBe(9n);
});

test("stays exact beyond 2^53", async () => {
  const watch = watchOver({ s: { [TOTAL]: "9007199254740993" } });
  await watch.compare();
  watch.become({ s: { [TOTAL]: "9007199254740992" } });
  await watch.compare();
  expect(watch.reported).toEqual([1n]);
});
