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
  let lateness: Promise<void> | undefined;
  const reported: bigint[] = [];
  /** Supplies that were read by their names. */
  const reads: string[] = [];
  const watch = createLossWatch({
    async read(supplyIds) {
      const now = held;
      const wait = lateness;
      lateness = undefined;
      await wait;
      if (!supplyIds) return now;
      reads.push(...supplyIds);
      return new Map(supplyIds.flatMap((id) => (held.has(id) ? [[id, held.get(id)!]] : [])));
    },
    isOwn: (producer) => producer.startsWith("own-"),
    onLost: (auctions) => reported.push(auctions),
  });
  const become = (supplies: typeof initial) => {
    held = toCounters(supplies);
  };
  /** Holds the answer of the next read up. @returns lets it go */
  const delay = () => {
    const late = Promise.withResolvers<void>();
    lateness = late.promise;
    return late.resolve;
  };
  return { ...watch, reported, reads, become, delay };
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

test("looks whether there is less, and leaves the report to a comparison", async () => {
  const watch = watchOver({ s: { [TOTAL]: "5" } });
  expect(await watch.look()).toBe(false);
  watch.become({ s: { [TOTAL]: "9" } });
  expect(await watch.look()).toBe(false);
  watch.become({ s: { [TOTAL]: "6" } });
  expect([await watch.look(), await watch.look()]).toEqual([true, true]);
  expect(watch.reported).toEqual([]);
  await watch.compare();
  expect(watch.reported).toEqual([3n]);
  expect(await watch.look()).toBe(false);
});

test("takes nothing for news that was read before the last comparison", async () => {
  const watch = watchOver({ s: { [TOTAL]: "9" } });
  await watch.compare();
  const late = watch.delay();
  const looked = watch.look(); // Reads 9, and is held up.
  watch.become({});
  const compared = watch.compare();
  late();
  await Promise.all([looked, compared]);
  expect(watch.reported).toEqual([9n]);
  expect(await watch.look()).toBe(false);
});

test("a store that does not answer fails a look, and not the next one", async () => {
  let isAway = true;
  const { look } = createLossWatch({
    read: async () => (isAway ? Promise.reject(new Error("away")) : new Map()),
    isOwn: () => false,
    onLost: () => {},
  });
  expect(await look().catch((fault) => fault.message)).toBe("away");
  isAway = false;
  expect(await look()).toBe(false);
});

test("looks at a thousand of many supplies, other ones each time", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 1_500 }, (_, i) => [`s${i}`, { [TOTAL]: "2" }]),
  );
  const watch = watchOver(many);
  await watch.compare();
  expect(await watch.look()).toBe(false);
  expect([watch.reads.length, new Set(watch.reads).size]).toEqual([1_000, 1_000]);
  expect(await watch.look()).toBe(false);
  expect([watch.reads.length, new Set(watch.reads).size]).toEqual([2_000, 1_500]);
  watch.become({});
  expect(await watch.look()).toBe(true);
  await watch.compare();
  expect(watch.reported).toEqual([3_000n]);
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
