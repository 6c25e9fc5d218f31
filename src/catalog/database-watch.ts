import { stat } from "node:fs/promises";
import type { SQL } from "bun";
import { createShared } from "../actor/shared.ts";
import { within } from "../actor/within.ts";
import { openDatabase, readVersion, toDatabaseError } from "./database.ts";
import type { DatabaseLocation } from "./location.ts";

/** Longest that one look at the version may take, milliseconds. */
const LOOK_MS_MAX = 3_000;
/** The looks of many exchanges on one database do not stay in step. */
const JITTER = 0.2;
/** Longest that the event loop stands still for another process that writes to SQLite. */
const BUSY_MS_MAX = 50;
/** What the triggers of data/sql/postgres.sql notify. */
const CHANNEL = "exchange_catalog";

export interface DatabaseWatchOptions {
  location: DatabaseLocation;
  /** Milliseconds between two looks, give or take a fifth. */
  refreshMs: number;
  /** The version that a look has found. */
  onVersion: (version: number) => Promise<void>;
  /** A look that failed, in words that may be shown. */
  onFault: (fault: Error) => void;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** Looks at the version of a database again and again; on PostgreSQL also when it is notified. */
export interface DatabaseWatch {
  stop(): Promise<void>;
}

export function watchDatabase(options: DatabaseWatchOptions): DatabaseWatch {
  const { location, refreshMs, onVersion, onFault, random = Math.random } = options;
  let sql: SQL | undefined;
  let openFile: string | undefined;
  let isListening = false;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = createShared(lookOnce);
  void look();

  async function lookOnce(): Promise<void> {
    clearTimeout(timer);
    if (isStopped) return;
    try {
      const version = await within(findVersion(), LOOK_MS_MAX, "the catalog's version");
      await onVersion(version);
    } catch (fault) {
      if (!isStopped) onFault(toDatabaseError(fault, location));
      await forget();
    }
    clearTimeout(timer);
    if (!isStopped) timer = setTimeout(look, refreshMs * (1 - JITTER + 2 * JITTER * random()));
  }

  async function findVersion(): Promise<number> {
    if (location.dialect === "sqlite") await forgetReplaced(location.url);
    sql ??= await openDatabase(location, { busyMs: BUSY_MS_MAX });
    // First, so that what comes after the look is told. Without it, the next look finds it.
    if (location.dialect === "postgres" && !isListening) await listen(sql).catch(() => {});
    return readVersion(sql);
  }

  /** The client connects and subscribes again by itself; what came meanwhile is looked for. */
  async function listen(client: SQL): Promise<void> {
    await client.listen(CHANNEL, lookAgain, lookAgain);
    isListening = true;
  }

  function lookAgain(): void {
    if (isListening) void look();
  }

  /** Somebody may have put another file in the place of the one that is open. */
  async function forgetReplaced(path: string): Promise<void> {
    const { dev, ino } = await stat(path);
    const found = `${dev} ${ino}`;
    if (found !== openFile) await forget();
    openFile = found;
  }

  /** The next look begins with a new connection; this one may hang. */
  async function forget(): Promise<void> {
    const client = sql;
    sql = undefined;
    isListening = false;
    await client?.close({ timeout: 0 }).catch(() => {});
  }

  async function stop(): Promise<void> {
    isStopped = true;
    clearTimeout(timer);
    await forget();
  }

  return { stop };
}
