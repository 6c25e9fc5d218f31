import assert from "node:assert";
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { allocateFile, mapFile } from "../mapped-file.ts";
import { createNames, readNames } from "./names.ts";
import { HEADER_BYTES, type Journal, journalBytes, journalOver } from "./ring.ts";
import { copyRing, type RingCopy } from "./ring-copy.ts";

/** 2 Mi words are 8 MiB: some 100 seconds of 3,500 auctions a second. A power of two. */
const RING_WORDS = 2 ** 21;

/** Names kept of a journal that is copied: of some 10,000 supplies of five bidders. */
const COPIED_NAMES_BYTES_MAX = 2 ** 20;

const namesPath = (path: string) => path.replace(/\.journal$/, ".names");

/**
 * Creates a producer's journal.
 * @param ringWords  a power of two, at least 1,024
 * @throws Error when the folder or the disk refuses
 */
export function createJournal(path: string, ringWords = RING_WORDS): Journal {
  assert(Number.isInteger(Math.log2(ringWords)) && ringWords >= 1024, "ring: a power of two");
  allocateFile(path, journalBytes(ringWords));
  return journalOver(mapFile(path), createNames(namesPath(path)));
}

/** Maps the journal of a dead process, to read it. @throws Error when it is not one */
export function openJournal(path: string): Journal {
  return journalOver(mapFile(path), readNames(namesPath(path)));
}

/** Copies from the journal of a process that may live. @throws Error when it is not one */
function copyJournal(path: string): RingCopy {
  const file = openSync(path, "r");
  try {
    const names = readNames(namesPath(path), COPIED_NAMES_BYTES_MAX);
    const ringWords = (fstatSync(file).size - HEADER_BYTES) / 4;
    const read = (into: Uint8Array, at: number) => void readSync(file, into, 0, into.length, at);
    return copyRing({ read, ringWords, names, close: () => closeSync(file) });
  } catch (cause) {
    closeSync(file);
    throw cause;
  }
}

/** Deletes a journal and its names. */
function removeJournal(path: string): void {
  rmSync(path, { force: true });
  rmSync(namesPath(path), { force: true });
}

/** Whether a journal was created whole: its names file is made last. */
const isWholeJournal = (path: string) => existsSync(namesPath(path));

/** The journals of one host, by producer. */
export interface JournalFolder {
  pathOf(producer: string): string;
  producers(): string[];
  /** The journal of a dead producer; undefined when it died before it could record. */
  open(producer: string): Journal | undefined;
  /**
   * The journal of any producer, read by copying; undefined when it has no names yet.
   * @throws Error when it is gone, is no journal, or names too many supplies
   */
  copy(producer: string): RingCopy | undefined;
  /** Deletes a journal whose records are all counted; its names stay until `remove`. */
  retire(producer: string): void;
  retired(): { producer: string; supplyIds: string[] }[];
  /** Deletes what is left of a producer. */
  remove(producer: string): void;
}

export function createJournalFolder(dir: string): JournalFolder {
  const pathOf = (producer: string) => join(dir, `${producer}.journal`);
  const list = (kind: "journal" | "names") =>
    readdirSync(dir)
      .filter((name) => name.endsWith(`.${kind}`))
      .map((name) => name.slice(0, -kind.length - 1));
  /** Names without a journal: a journal is made before its names, and deleted before them. */
  const retired = () =>
    list("names")
      .filter((producer) => !existsSync(pathOf(producer)))
      .map((producer) => {
        const { supplyIds } = readNames(namesPath(pathOf(producer)));
        return { producer, supplyIds: supplyIds() };
      });
  return {
    pathOf,
    producers: () => list("journal"),
    open: (producer) =>
      isWholeJournal(pathOf(producer)) ? openJournal(pathOf(producer)) : undefined,
    copy: (producer) =>
      isWholeJournal(pathOf(producer)) ? copyJournal(pathOf(producer)) : undefined,
    retire: (producer) => rmSync(pathOf(producer)),
    retired,
    remove: (producer) => removeJournal(pathOf(producer)),
  };
}
