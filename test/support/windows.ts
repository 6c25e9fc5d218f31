import { admissionRingOver, ringBytes } from "../../src/store/embedded/admission-ring.ts";
import { createWindows, type Windows } from "../../src/store/embedded/windows.ts";
import type { AdmitEntry, WindowLimit } from "../../src/store/store.ts";

/** Windows in the memory of this process. @param admissions  a power of two */
export function windowsOf(
  limit: WindowLimit,
  now?: () => number,
  admissions = 2 ** 14,
  doubtMs = 0,
): Windows {
  const ring = admissionRingOver(new Uint8Array(ringBytes(admissions)));
  return createWindows({ limit, ring, doubtMs, ...(now && { now }) });
}

/** Admits the entries of a batch one by one. */
export const admitIn =
  ({ admit }: Pick<Windows, "admit">) =>
  ({ client, wanted }: AdmitEntry) =>
    admit(client, wanted);
