import { rmSync } from "node:fs";
import { allocateFile, mapFile } from "../../mapped-file.ts";
import type { WindowLimit } from "../store.ts";
import { admissionRingOver, ringBytes } from "./admission-ring.ts";
import { createWindows, type Windows, type WindowsOptions } from "./windows.ts";

/**
 * Of admissions; 15/16 of them are remembered, in the default window 32,000 a second. Beyond it the
 * oldest is forgotten, and its client may get one more. A power of two; 72 MiB.
 */
const RING_ADMISSIONS = 2 ** 21;

/** Also of an earlier start, which may have had other settings and a sudden end. */
export const removeWindowsFile = (path: string): void => rmSync(path, { force: true });

/** Empty windows, in place of those of an earlier start. @throws Error when the disk refuses */
export function createWindowsFile(path: string): void {
  removeWindowsFile(path);
  allocateFile(path, ringBytes(RING_ADMISSIONS));
}

/** The windows in that file, for one of the processes. @throws Error when it is not there */
export function openWindows(
  path: string,
  limit: WindowLimit,
  clock: Required<Pick<WindowsOptions, "now" | "doubtMs">>,
): Windows {
  return createWindows({ limit, ring: admissionRingOver(mapFile(path)), ...clock });
}
