import { Database } from "bun:sqlite";
import { offsetField } from "../counters.ts";
import { type ApplyReply, CounterError, type Counters, type SupplyIncrements } from "../store.ts";

/** 18 digits: room for any increment below 2^53, as in apply.lua. */
const COUNTABLE_MAX = 10n ** 18n;

/** Counters in one SQLite file with one writer; the compare and set of apply.lua. */
export interface CounterFile {
  apply(producer: string, batch: readonly SupplyIncrements[]): ApplyReply[];
  read(supplyIds?: readonly string[]): Map<string, Counters>;
  forget(producer: string, supplyIds: readonly string[]): void;
  close(): void;
}

/**
 * Opens or creates the file and locks it for this process.
 * @throws Error when another process has it, or the disk refuses
 */
export function openCounterFile(path: string): CounterFile {
  const db = new Database(path, { create: true, safeIntegers: true, strict: true });
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA synchronous = NORMAL");
  db.run("PRAGMA cache_size = -65536"); // KiB: room for the counters of 50,000 supplies or so.
  db.run(
    `CREATE TABLE IF NOT EXISTS counters (
       supply TEXT NOT NULL, field TEXT NOT NULL, value INTEGER NOT NULL,
       PRIMARY KEY (supply, field)
     ) WITHOUT ROWID`,
  );
  const selectOne = db.query<{ value: bigint }, [string, string]>(
    "SELECT value FROM counters WHERE supply = ? AND field = ?",
  );
  const selectSupply = db.query<{ field: string; value: bigint }, [string]>(
    "SELECT field, value FROM counters WHERE supply = ?",
  );
  const selectAll = db.query<{ supply: string; field: string; value: bigint }, []>(
    "SELECT supply, field, value FROM counters",
  );
  // A column of SQLite may hold text, to which it would add as if it were 0.
  const add = db.query<void, [string, string, number]>(
    `INSERT INTO counters VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET value = value + excluded.value
     WHERE typeof(value) = 'integer' AND value < ${COUNTABLE_MAX}`,
  );
  const set = db.query<void, [string, string, number]>(
    "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  const remove = db.query<void, [string, string]>(
    "DELETE FROM counters WHERE supply = ? AND field = ?",
  );

  function applyOne(producer: string, part: SupplyIncrements): ApplyReply {
    const { supplyId, from, to, increments } = part;
    const offset = Number(selectOne.get(supplyId, offsetField(producer))?.value ?? 0n);
    if (offset !== from) return offset;
    for (const [field, by] of increments) {
      if (add.run(supplyId, field, by).changes === 0) throw refusalOf(supplyId, field);
    }
    if (to !== from) set.run(supplyId, offsetField(producer), to);
    return to;
  }

  /** For a batch with a refusal, which is rare: looks at every counter before it writes. */
  function applyChecked(producer: string, part: SupplyIncrements): ApplyReply {
    const { supplyId, increments } = part;
    for (const field of increments.keys()) {
      const value = selectOne.get(supplyId, field)?.value ?? 0n;
      const isCountable = typeof value === "bigint" && value < COUNTABLE_MAX;
      if (!isCountable) return refusalOf(supplyId, field);
    }
    return applyOne(producer, part);
  }

  const applyAll = db.transaction(
    (producer: string, batch: readonly SupplyIncrements[], one: typeof applyOne) =>
      batch.map((part) => one(producer, part)),
  );

  function apply(producer: string, batch: readonly SupplyIncrements[]): ApplyReply[] {
    try {
      return applyAll(producer, batch, applyOne);
    } catch (error) {
      if (!(error instanceof CounterError)) throw error;
      return applyAll(producer, batch, applyChecked);
    }
  }

  function read(supplyIds?: readonly string[]) {
    const counters = new Map<string, Map<string, string>>();
    for (const id of supplyIds ?? []) {
      const rows = selectSupply.all(id);
      counters.set(id, new Map(rows.map(({ field, value }) => [field, value.toString()])));
    }
    if (supplyIds) return counters;
    for (const { supply, field, value } of selectAll.all()) {
      const fields = counters.get(supply) ?? new Map<string, string>();
      counters.set(supply, fields.set(field, value.toString()));
    }
    return counters;
  }

  const forget = db.transaction((producer: string, supplyIds: readonly string[]) => {
    for (const id of supplyIds) remove.run(id, offsetField(producer));
  });

  return { apply, read, forget, close: () => db.close() };
}

const refusalOf = (supplyId: string, field: string) =>
  new CounterError(`counter ${field} of ${supplyId} is full or holds no number`);
