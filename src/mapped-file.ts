import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";

/**
 * Creates a file of zeros, its whole size written so that a full disk is an error now and not a
 * SIGBUS later.
 * @throws Error when it exists, or the folder or the disk refuses
 */
export function allocateFile(path: string, bytes: number): void {
  const file = openSync(path, "wx");
  try {
    const zeros = new Uint8Array(2 ** 20);
    let left = bytes;
    while (left > 0) left -= writeSync(file, zeros, 0, Math.min(left, zeros.length));
    fsyncSync(file); // Where blocks are allocated late, a full disk shows only here.
  } catch (cause) {
    rmSync(path);
    throw new Error(`cannot allocate ${path}: ${(cause as Error).message}`);
  } finally {
    closeSync(file);
  }
}

const PAGE_BYTES = 4096;

/**
 * The bytes of a file, shared with every other process that maps it. They are read once: what the
 * process takes does not grow with what it uses of them, and while memory is not short no reader
 * waits for a page.
 * @throws Error when the file cannot be opened
 */
export function mapFile(path: string): Uint8Array {
  const bytes = Bun.mmap(path, { shared: true });
  // Atomic, since a compiler may leave out a plain read that nobody uses.
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) Atomics.load(bytes, at);
  return bytes;
}
