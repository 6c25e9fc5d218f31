import type { Names } from "./names.ts";
import { HEADER_BYTES, type JournalHeader, parseHeader } from "./ring.ts";
import { createScan, type Scan } from "./ring-scan.ts";

/** Words copied at once. Longer than any record. */
const SLICE_WORDS = 2 ** 13;

export interface CopyRingOptions {
  /** Fills the bytes from that place of the journal on. */
  read: (into: Uint8Array, at: number) => void;
  ringWords: number;
  names: Names;
  close: () => void;
}

/**
 * A journal that another process writes, read by copying. Mapped instead, each page would count as
 * this process's memory from its first look on. A file is read as it was last written, through
 * whichever mapping: on one host both are the same pages.
 */
export interface RingCopy {
  header(): JournalHeader;
  /** As `Journal`'s. Stops also where records were released while it copied them. */
  scan: Scan;
  close(): void;
}

export function copyRing({ read, ringWords, names, close }: CopyRingOptions): RingCopy {
  const headerBytes = new Uint8Array(HEADER_BYTES);
  const words = new Int32Array(Math.min(SLICE_WORDS, ringWords));
  const bytes = new Uint8Array(words.buffer);
  let base = 0;
  const scanSlice = createScan(words, (position) => position - base, names);

  function header(): JournalHeader {
    read(headerBytes, 0);
    return parseHeader(headerBytes);
  }

  function copy(from: number, length: number): void {
    base = from;
    const first = from % ringWords;
    const untilEnd = Math.min(length, ringWords - first);
    read(bytes.subarray(0, untilEnd * 4), HEADER_BYTES + first * 4);
    if (untilEnd === length) return;
    read(bytes.subarray(untilEnd * 4, length * 4), HEADER_BYTES);
  }

  const scan: Scan = (from, to, visit) => {
    let position = from;
    while (position < to) {
      const end = Math.min(position + words.length, to);
      copy(position, end - position);
      if (header().tail > position) return position; // It may have been written over.
      const stopped = scanSlice(position, end, visit);
      if (stopped === position) return position;
      position = stopped;
    }
    return position;
  };

  return { header, scan, close };
}
