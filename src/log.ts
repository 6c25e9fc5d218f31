import { write } from "node:fs";
import pino from "pino";
import pretty from "pino-pretty";

export type Logger = pino.Logger;

export interface LogOptions {
  level: string;
  /** Who writes: supervisor, or a worker by number. */
  name: string;
  isTerminal: boolean;
}

/** Lifecycle, warnings and errors: readable on a terminal, one JSON object per line elsewhere. */
export function createLogger({ level, name, isTerminal }: LogOptions): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: { process: name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  // Synchronous: a process that is about to exit has said everything. There are few lines.
  if (!isTerminal) return pino(options, pino.destination({ fd: 1, sync: true }));
  const stream = pretty({
    sync: true,
    destination: 1,
    ignore: "process",
    translateTime: "HH:MM:ss",
  });
  return pino({ ...options, formatters: {} }, stream);
}

/** Writes to standard output off the event loop: a reader that stalls does not stall auctions. */
export const writeOut = (text: string) =>
  new Promise<void>((resolve) => {
    const bytes = Buffer.from(text);
    const writeFrom = (at: number) =>
      write(1, bytes, at, (error, written) => {
        if (error || at + written >= bytes.length) resolve();
        else writeFrom(at + written);
      });
    writeFrom(0);
  });
