import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createNames, readNames } from "../../src/stats/names.ts";
import { supplyOf } from "../support/auctions.ts";
import { createFolder } from "../support/folder.ts";

const AWKWARD = ["__proto__", 'quo"te', "back\\slash", "[1,2]", "{}", "a:b"];

test("a supply's name is in the file before its number is used", () => {
  using folder = createFolder();
  const names = createNames(folder.path("names"));
  const { number } = names.of(supplyOf("s", ["b1", "b2"]));
  const reader = readNames(folder.path("names"));
  expect(reader.at(number)).toMatchObject({ number, supplyId: "s", bidderIds: ["b1", "b2"] });
  expect(reader.at(number + 1)).toBeUndefined();
  names.close();
});

test("each content is written once, whatever snapshot of the catalog it comes from", () => {
  using folder = createFolder();
  const names = createNames(folder.path("names"));
  const first = supplyOf("s", ["b1"]);
  const entry = names.of(first);
  for (let reload = 0; reload < 5; reload++) {
    expect(names.of(first)).toBe(entry);
    expect(names.of(supplyOf("s", ["b1"]))).toBe(entry);
  }
  expect(readFileSync(folder.path("names"), "utf8").split("\n")).toHaveLength(2);
  names.close();
});

test("a supply whose bidders changed has a new entry and goes on with its ordinals", () => {
  using folder = createFolder();
  const names = createNames(folder.path("names"));
  const before = names.of(supplyOf("s", ["b1", "b2"]));
  const after = names.of(supplyOf("s", ["b2", "b1"]));
  const other = names.of(supplyOf("t", ["b1", "b2"]));
  expect(new Set([before.number, after.number, other.number]).size).toBe(3);
  expect(after.recorded).toBe(before.recorded);
  expect(other.recorded).not.toBe(before.recorded);
  expect(names.supplyIds()).toEqual(["s", "t"]);
  const reader = readNames(folder.path("names"));
  expect(reader.supplyIds()).toEqual(["s", "t"]);
  expect(reader.at(after.number)!.bidderIds).toEqual(["b2", "b1"]);
  expect(reader.at(after.number)!.recorded).toBe(reader.at(before.number)!.recorded);
  names.close();
});

test("awkward ids come back as they were", () => {
  using folder = createFolder();
  const names = createNames(folder.path("names"));
  for (const id of AWKWARD) names.of(supplyOf(id, AWKWARD));
  names.close();
  const reader = readNames(folder.path("names"));
  expect(reader.supplyIds()).toEqual(AWKWARD);
  AWKWARD.forEach((id, i) => {
    expect(reader.at(i)).toMatchObject({ supplyId: id, bidderIds: AWKWARD });
  });
});

test("a file that was cut off anywhere still gives its whole lines", () => {
  using folder = createFolder();
  const names = createNames(folder.path("names"));
  for (const id of ["a", "b", "c"]) names.of(supplyOf(id, ["b1", "b2"]));
  names.close();
  const whole = readFileSync(folder.path("names"));
  for (let bytes = 0; bytes <= whole.length; bytes++) {
    writeFileSync(folder.path("cut"), whole.subarray(0, bytes));
    const lines = whole.subarray(0, bytes).toString().split("\n").length - 1;
    expect(readNames(folder.path("cut")).supplyIds()).toEqual(["a", "b", "c"].slice(0, lines));
  }
});

test("the names of a dead producer are only read", () => {
  using folder = createFolder();
  createNames(folder.path("names")).close();
  const reader = readNames(folder.path("names"));
  expect(() => reader.of(supplyOf("s", []))).toThrow("only read");
  expect(() => createNames(folder.path("names"))).toThrow("EEXIST");
});

test("the names of another process are read on as it writes them, up to a length", () => {
  using folder = createFolder();
  const path = folder.path("names");
  const names = createNames(path);
  names.of(supplyOf("s1", ["b1"]));
  const read = readNames(path, 100);
  expect(read.at(1)).toBeUndefined();
  names.of(supplyOf("s2", ["b1"]));
  expect(read.at(1)?.supplyId).toBe("s2");
  names.of(supplyOf("s".repeat(100), ["b1"]));
  expect(() => read.at(2)).toThrow("longer than 100 bytes");
  expect(() => readNames(path, 100)).toThrow("longer than 100 bytes");
  names.close();
});
