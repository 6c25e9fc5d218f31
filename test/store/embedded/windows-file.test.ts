import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  createWindowsFile,
  openWindows,
  removeWindowsFile,
} from "../../../src/store/embedded/windows-file.ts";
import { createFolder } from "../../support/folder.ts";

const LIMIT = { max: 1, windowMs: 60_000 };
const CLOCK = { now: () => 0, doubtMs: 0 };

test("whoever opens the file has the same windows; the next start has empty ones", () => {
  using folder = createFolder();
  const path = folder.path("windows");
  const open = () => openWindows(path, LIMIT, CLOCK);
  createWindowsFile(path);
  const [one, other] = [open(), open()];
  expect(one.admit("a").granted).toBe(1);
  expect(other.admit("a").granted).toBe(0);

  createWindowsFile(path);
  expect(open().admit("a").granted).toBe(1);
  // An orphan of the start before keeps its own.
  expect(one.admit("b").granted).toBe(1);
  expect(open().admit("b").granted).toBe(1);
  removeWindowsFile(path);
  expect(existsSync(path)).toBe(false);
});
