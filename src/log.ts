import pino from "pino";
import pretty from "pino-pretty";
import { createLines } from "./output.ts";

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
  if (!isTerminal) {
    const lines = createLines();
    process.once("exit", lines.flushSync);
    return pino(options, lines);
  }
  const stream = pretty({
    sync: true,
    destination: 1,
    ignore: "process",
    translateTime: "HH:MM:ss",
  });
  return pino({ ...options, formatters: {} }, stream);
}

/** Tells of a connection to Redis that fails. @param role  what it is for */
export const warnOfRedis = (logger: Logger) => (role: string, err: Error) =>
  logger.warn({ role, cause: err.message }, "redis connection");
