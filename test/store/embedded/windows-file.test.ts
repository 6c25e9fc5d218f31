import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { createWindowsFile, openWindows } from "../../../src/store/embedded/windows-file.ts";
import { createFolder } from "../../support/folder.ts";

const LIMIT = { max: 1, windowMs: 60_000 };
const CLOCK = { now: () => 0, doubtMs: 0 };

test("whoever opens the file has the same windows; the next start has empty ones", () => {
  using folder = createFolder();
  const file = createWindowsFile(folder.path("windows"));
  const [one, other] = [file.path, file.path].map((path) => openWindows(path, LIMIT, CLOCK));
  expect(one!.admit("a").granted).toBe(1);
  expect(other!.admit("a").granted).toBe(0);

  const next = createWindowsFile(folder.path("windows"));
  expect(openWindows(next.path, LIMIT, CLOCK).admit("a").granted).toBe(1);
  // An orphan of the start before keeps its own.
  expect(one!.admit("b").granted).toBe(1);
  expect(openWindows(next.path, LIMIT, CLOCK).admit("b").granted).toBe(1);
  next.remove();
  expect(existsSync(next.path)).toBe(false);
});
