import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { allocateFile, mapFile } from "../src/mapped-file.ts";
import { createFolder } from "./support/folder.ts";

test("one process's bytes are another mapping's, and the file has its whole size at once", () => {
  using folder = createFolder();
  const path = folder.path("bytes");
  allocateFile(path, 3_000_000);
  const bytes = mapFile(path);
  expect(statSync(path).size).toBe(3_000_000);
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(3_000_000);
  bytes[2_999_999] = 7;
  expect(mapFile(path)[2_999_999]).toBe(7);
});

test("a file that is there already stays as it is", () => {
  using folder = createFolder();
  writeFileSync(folder.path("bytes"), "mine");
  expect(() => allocateFile(folder.path("bytes"), 10)).toThrow("EEXIST");
  expect(statSync(folder.path("bytes")).size).toBe(4);
});

test.skipIf(process.platform !== "linux")(
  "what is mapped is in memory whole from the start",
  () => {
    using folder = createFolder();
    const path = folder.path("bytes");
    allocateFile(path, 2 ** 24);
    // Of files, and of files in memory: what the temporary folder is on is not ours to choose.
    const residentKib = () =>
      [...readFileSync("/proc/self/status", "utf8").matchAll(/^Rss(?:File|Shmem):\s+(\d+)/gm)]
        .map((line) => Number(line[1]))
        .reduce((a, b) => a + b);
    const before = residentKib();
    const bytes = mapFile(path);
    expect(residentKib() - before).toBeGreaterThan(15_000);
    expect(bytes).toHaveLength(2 ** 24);
  },
);
