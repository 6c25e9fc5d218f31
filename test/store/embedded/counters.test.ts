import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { openCounterFile } from "../../../src/store/embedded/counters.ts";
import type { SupplyIncrements } from "../../../src/store/store.ts";
import { createFolder } from "../../support/folder.ts";

const COUNTERS_MODULE = `${import.meta.dir}/../../../src/store/embedded/counters.ts`;

const part = (
  supplyId: string,
  from: number,
  to: number,
  increments: Record<string, number>,
): SupplyIncrements => ({ supplyId, from, to, increments: new Map(Object.entries(increments)) });

/** Another process that opens the file, runs a line with it, and prints what came of it. */
function openElsewhere(path: string, line: string, ...args: string[]) {
  const script = `
    const { openCounterFile } = await import(${JSON.stringify(COUNTERS_MODULE)});
    const part = (supplyId, from, to, increments) =>
      ({ supplyId, from, to, increments: new Map(Object.entries(increments)) });
    try {
      const file = openCounterFile(process.argv[1]);
      ${line}
    } catch (error) {
      console.log("refused: " + error.message);
    }`;
  return Bun.spawn([process.execPath, "-e", script, path, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
}

describe("the file", () => {
  test("holds what was counted when it is opened again", () => {
    using folder = createFolder();
    const path = folder.path("counters.sqlite");
    for (let round = 0; round < 3; round++) {
      const file = openCounterFile(path);
      expect(file.apply("p", [part("s", round, round + 1, { f: 2 ** 52 })])).toEqual([round + 1]);
      file.close();
    }
    const file = openCounterFile(path);
    expect(file.read().get("s")).toEqual(
      new Map([
        ["f", String(3n * 2n ** 52n)],
        ["offset:p", "3"],
      ]),
    );
    expect(file.apply("p", [part("s", 0, 1, { f: 1 })])).toEqual([3]);
    file.close();
  });

  test("is closed to another process while it is open, written to or not", async () => {
    using folder = createFolder();
    const path = folder.path("counters.sqlite");
    for (let round = 0; round < 3; round++) {
      const file = openCounterFile(path); // New, then one that is there already.
      if (round === 2) file.apply("p", [part("s", 0, 1, { f: 1 })]);
      const apply = 'console.log(JSON.stringify(file.apply("q", [part("s", 0, 1, { f: 1 })])));';
      const other = openElsewhere(path, apply);
      expect(await new Response(other.stdout).text()).toStartWith("refused: ");
      file.close();
    }
    const other = openElsewhere(path, "console.log('open');");
    expect((await new Response(other.stdout).text()).trim()).toBe("open");
  });

  test("is free again, whole and exact, when the process that had it was killed", async () => {
    using folder = createFolder();
    const path = folder.path("counters.sqlite");
    let from = 0;
    for (let round = 0; round < 3; round++) {
      const writer = openElsewhere(
        path,
        `const { writeSync } = await import("node:fs");
         for (let at = Number(process.argv[2]); ; at++) {
           const [to] = file.apply("p", [part("s", at, at + 1, { f: 1, g: 3 })]);
           if (to !== at + 1) throw new Error("stands at " + to);
           writeSync(1, to + "\\n");
         }`,
        String(from),
      );
      let told = "";
      for await (const chunk of writer.stdout) {
        told += new TextDecoder().decode(chunk);
        if (told.includes("refused")) throw new Error(told);
        if (told.split("\n").length > 50 && !writer.killed) writer.kill("SIGKILL");
      }
      await writer.exited;
      const answered = Number(told.split("\n").at(-2));
      const file = openCounterFile(path);
      const counters = file.read().get("s")!;
      const offset = Number(counters.get("offset:p"));
      expect(offset).toBeGreaterThanOrEqual(answered);
      expect(offset).toBeLessThanOrEqual(answered + 1);
      expect([counters.get("f"), counters.get("g")]).toEqual([String(offset), String(3 * offset)]);
      file.close();
      from = offset;
    }
  });

  test("holds nothing of a batch that failed in its middle", () => {
    const file = openCounterFile(":memory:");
    const batch = [part("r", 0, 1, { f: 1 }), part("s", 0, 1, { f: 1, broken: Number.NaN })];
    expect(() => file.apply("p", batch)).toThrow();
    expect(file.read()).toEqual(new Map());
    expect(file.apply("p", batch.slice(0, 1))).toEqual([1]);
    file.close();
  });

  test("refuses to open what is no database, or nowhere", async () => {
    using folder = createFolder();
    await Bun.write(
      folder.path("text"),
      "not a database, but long enough to look like one\n".repeat(90),
    );
    expect(() => openCounterFile(folder.path("text"))).toThrow();
    expect(() => openCounterFile(folder.path("missing/counters.sqlite"))).toThrow();
  });
});

/** The compare and set of the contract over exact numbers, by supply and field. */
function createModel() {
  const rows = new Map<string, bigint>();
  const key = (supplyId: string, field: string): string => `${supplyId} ${field}`;
  const held = (supplyId: string, field: string) => rows.get(key(supplyId, field)) ?? 0n;
  return {
    rows,
    apply(producer: string, { supplyId, from, to, increments }: SupplyIncrements): number {
      const offset = Number(held(supplyId, `offset:${producer}`));
      if (offset !== from) return offset;
      for (const [field, by] of increments) {
        rows.set(key(supplyId, field), held(supplyId, field) + BigInt(by));
      }
      if (to !== from) rows.set(key(supplyId, `offset:${producer}`), BigInt(to));
      return to;
    },
    forget(producer: string, supplyIds: readonly string[]) {
      for (const id of supplyIds) rows.delete(key(id, `offset:${producer}`));
    },
  };
}

test("any sequence of calls is answered as by a model with exact numbers", () => {
  const ids = fc.constantFrom("s", "__proto__", "a:b");
  const producers = fc.constantFrom("p", "q");
  const change = fc.record({
    supplyId: ids,
    from: fc.nat(4),
    by: fc.nat(3),
    increment: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(2 ** 31, 2 ** 53 - 1)),
  });
  const apply = fc.record({ producer: producers, changes: fc.array(change, { maxLength: 4 }) });
  const forget = fc.record({ producer: producers, forgotten: fc.array(ids) });
  const step = fc.oneof({ weight: 8, arbitrary: apply }, { weight: 1, arbitrary: forget });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const file = openCounterFile(":memory:");
      const model = createModel();
      for (const one of steps) {
        const { producer } = one;
        if ("forgotten" in one) {
          file.forget(producer, one.forgotten);
          model.forget(producer, one.forgotten);
          continue;
        }
        const batch = one.changes.map(({ supplyId, from, by, increment }) =>
          part(supplyId, from, from + by, { f: increment, [`of:${producer}`]: 1 }),
        );
        const expected = batch.map((changed) => model.apply(producer, changed));
        expect(file.apply(producer, batch)).toEqual(expected);
      }
      const rows = [...file.read()].flatMap(([id, fields]) =>
        [...fields].map(([field, value]): [string, bigint] => [`${id} ${field}`, BigInt(value)]),
      );
      expect(new Map(rows)).toEqual(model.rows);
      file.close();
    }),
    { numRuns: 100 },
  );
});
