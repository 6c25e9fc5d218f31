import { write, writeSync } from "node:fs";

const STDOUT = 1;
/** Until a reader that had no room is tried again. */
const RETRY_MS = 10;
/** Of lines that wait for their reader; beyond it they are left out and counted. */
const WAITING_BYTES_MAX = 2 ** 20;

/**
 * Writes to standard output off the event loop: a reader that stalls does not stall auctions.
 * Resolves when the reader has taken all of it, or there is none any more.
 */
export const writeOut = (text: string) =>
  new Promise<void>((resolve) => {
    const bytes = Buffer.from(text);
    const writeFrom = (at: number) =>
      write(STDOUT, bytes, at, (error, written) => {
        if (isFull(error)) setTimeout(writeFrom, RETRY_MS, at);
        else if (error || at + written >= bytes.length) resolve();
        else writeFrom(at + written);
      });
    writeFrom(0);
  });

export interface LinesOptions {
  /** Takes what it has room for. @returns how many bytes; 0: none at the moment */
  take?: (bytes: Uint8Array) => number;
  later?: (run: () => void) => void;
}

/** Lines for a reader that nobody waits for. */
export interface Lines {
  /** At once where the reader has room, else as soon as it has, in their order. */
  write(line: string): void;
  /** Offers the reader what waits. */
  flushSync(): void;
}

/**
 * Standard output line by line, at once, so that a process that is about to exit has said
 * everything. Bun shares its pipe unblocked: one that is full refuses, and is tried again.
 */
export function createLines({ take = takeOut, later = retryLater }: LinesOptions = {}): Lines {
  const waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let leftOut = 0;
  let isDue = false;

  function append(line: string): void {
    const bytes = Buffer.from(line);
    waiting.push(bytes);
    waitingBytes += bytes.length;
  }

  function write(line: string): void {
    if (waitingBytes >= WAITING_BYTES_MAX) leftOut++;
    else append(line);
    if (!isDue) flushSync();
  }

  function flushSync(): void {
    while (waiting.length > 0) {
      const [bytes] = waiting;
      const taken = take(bytes!);
      waitingBytes -= taken;
      if (taken === bytes!.length) waiting.shift();
      else if (taken > 0) waiting[0] = bytes!.subarray(taken);
      else return tryLater();
      if (waiting.length === 0 && leftOut > 0) append(tellLeftOut());
    }
  }

  function tryLater(): void {
    if (isDue) return;
    isDue = true;
    later(() => {
      isDue = false;
      flushSync();
    });
  }

  function tellLeftOut(): string {
    const msg = `${leftOut} lines left out: the reader of the log is too slow`;
    leftOut = 0;
    return `${JSON.stringify({ level: "warn", time: new Date().toISOString(), msg })}\n`;
  }

  return { write, flushSync };
}

function takeOut(bytes: Uint8Array): number {
  try {
    return writeSync(STDOUT, bytes);
  } catch (error) {
    return isFull(error) ? 0 : bytes.length; // Nobody reads any more.
  }
}

const retryLater = (run: () => void) => void setTimeout(run, RETRY_MS);

const isFull = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code === "EAGAIN";
