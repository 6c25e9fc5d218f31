import { rmSync } from "node:fs";
import { createMappedFile, openMappedFile } from "../../mapped-file.ts";
import type { WindowLimit } from "../store.ts";
import { admissionRingOver, ringBytes } from "./admission-ring.ts";
import { createWindows, type Windows, type WindowsOptions } from "./windows.ts";

/**
 * Most admissions remembered: in the default window 35,000 a second. Beyond it the oldest is
 * forgotten, and its client may get one more. A power of two; 68 MiB.
 */
const ADMISSIONS_MAX = 2 ** 21;

/** The windows of a host, in a file that its processes map. */
export interface WindowsFile {
  readonly path: string;
  remove(): void;
}

/** Empty windows, in place of those of an earlier start. @throws Error when the disk refuses */
export function createWindowsFile(path: string): WindowsFile {
  const remove = () => rmSync(path, { force: true });
  remove();
  createMappedFile(path, ringBytes(ADMISSIONS_MAX));
  return { path, remove };
}

/** The windows in that file, for one of the processes. @throws Error when it is not there */
export function openWindows(
  path: string,
  limit: WindowLimit,
  clock: Required<Pick<WindowsOptions, "now" | "doubtMs">>,
): Windows {
  return createWindows({ limit, ring: admissionRingOver(openMappedFile(path)), ...clock });
}
