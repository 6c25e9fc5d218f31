import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import type { Supply } from "../catalog/catalog.ts";

/** What a journal record's supply number stands for. */
export interface NamedSupply {
  readonly number: number;
  readonly supplyId: string;
  readonly bidderIds: readonly string[];
  /** Shared by all entries of one supply id: how many of its auctions were recorded. */
  readonly recorded: { count: number };
}

/** The names beside a journal: one JSON line per supply, written before its first record. */
export interface Names {
  /** The entry of a supply, written down at its first use. @throws Error when the disk refuses */
  of(supply: Supply): NamedSupply;
  at(number: number): NamedSupply | undefined;
  /** Every supply that has an entry. */
  supplyIds(): string[];
  close(): void;
}

/** Beyond it supplies that a reload changed cannot be recorded until the worker is replaced. */
export const ENTRIES_MAX = 1_000_000;

type Line = [supplyId: string, bidderIds: string[]];

/** The ids of some bidders, and as JSON. */
interface Panel {
  readonly ids: readonly string[];
  readonly text: string;
}

/**
 * Another process's names. A last line that is cut off names no record and is dropped; the file is
 * read again when a record has a number beyond it, because its process may still be writing.
 * @param bytesMax  of the file; a longer one is an Error, now and whenever it is read again
 */
export function readNames(path: string, bytesMax = Number.POSITIVE_INFINITY): Names {
  const entries: NamedSupply[] = [];
  const counts = new Map<string, { count: number }>();
  readNew();

  function readNew(): void {
    if (statSync(path).size > bytesMax) throw new Error(`${path}: longer than ${bytesMax} bytes`);
    for (const line of readFileSync(path, "utf8").split("\n").slice(entries.length, -1)) {
      const [supplyId, bidderIds] = JSON.parse(line) as Line;
      entries.push(addEntry(entries.length, supplyId, bidderIds, counts));
    }
  }

  function at(number: number): NamedSupply | undefined {
    if (number >= entries.length) readNew();
    return entries[number];
  }

  const of = () => {
    throw new Error(`${path}: names of another process are only read`);
  };
  return { of, at, supplyIds: () => [...counts.keys()], close: () => {} };
}

/** @throws Error when there are names already, or the disk refuses */
export function createNames(path: string): Names {
  const file = openSync(path, "ax"); // Appending: a line that is taken back leaves no hole.
  let length = 0;
  const entries: NamedSupply[] = [];
  const counts = new Map<string, { count: number }>();
  /** Of each supply its entries, with the bidders that each is for. */
  const bySupplyId = new Map<string, { panel: Panel; entry: NamedSupply }[]>();
  const bySupply = new WeakMap<Supply, NamedSupply>();
  /** Many supplies list the same bidders: the entries of a large catalog share a few panels. */
  const panels = new Map<string, Panel>();
  const byBidders = new WeakMap<Supply["bidders"], Panel>();

  function of(supply: Supply): NamedSupply {
    return bySupply.get(supply) ?? define(supply);
  }

  function define(supply: Supply): NamedSupply {
    const panel = panelOf(supply.bidders);
    const known = bySupplyId.get(supply.id) ?? [];
    // A reload that left this supply as it was made another object of it.
    let entry = known.find((one) => one.panel === panel)?.entry;
    if (!entry) {
      if (entries.length === ENTRIES_MAX) throw new Error(`${path}: ${ENTRIES_MAX} entries`);
      writeLine(`[${JSON.stringify(supply.id)},${panel.text}]\n`);
      entry = addEntry(entries.length, supply.id, panel.ids, counts);
      entries.push(entry);
      panels.set(panel.text, panel);
      bySupplyId.set(supply.id, [...known, { panel, entry }]);
    }
    bySupply.set(supply, entry);
    byBidders.set(supply.bidders, panel);
    return entry;
  }

  function panelOf(bidders: Supply["bidders"]): Panel {
    let panel = byBidders.get(bidders);
    if (!panel) {
      const ids = bidders.map((bidder) => bidder.id);
      const text = JSON.stringify(ids);
      panel = panels.get(text) ?? { ids, text };
    }
    return panel;
  }

  /** All of a line or nothing: a disk that is nearly full takes a part of it. */
  function writeLine(line: string): void {
    const bytes = Buffer.from(line);
    const written = writeSync(file, bytes);
    if (written < bytes.length) {
      ftruncateSync(file, length);
      throw new Error(`${path}: no room on the disk`);
    }
    length += written;
  }

  const supplyIds = () => [...counts.keys()];
  return { of, at: (number) => entries[number], supplyIds, close: () => closeSync(file) };
}

function addEntry(
  number: number,
  supplyId: string,
  bidderIds: readonly string[],
  counts: Map<string, { count: number }>,
): NamedSupply {
  const recorded = counts.get(supplyId) ?? { count: 0 };
  counts.set(supplyId, recorded);
  return { number, supplyId, bidderIds, recorded };
}
