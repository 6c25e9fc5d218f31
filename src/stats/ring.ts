import assert from "node:assert";
import type { Supply } from "../catalog/catalog.ts";
import { countryNumber } from "../catalog/country.ts";
import { BIDDERS_MAX } from "../catalog/document.ts";
import { ENTRIES_MAX, type Names } from "./names.ts";
import type { AuctionOutcome } from "./outcome.ts";
import {
  createScan,
  NUMBER_BITS,
  RECORD_FIXED_WORDS,
  type Scan,
  STATES_PER_WORD,
} from "./ring-scan.ts";

/*
 * The bytes: a header, then a ring of 32-bit words. A position counts words since the producer
 * began, so the ring index is the position modulo the ring. A record is
 *
 *   0  position's low 24 bits << 8 | words of the record    tells a torn record
 *   1  number of the supply in the names file | high 12 bits of the ordinal << 20
 *   2  low 32 bits of the ordinal of this auction among the supply's, from 1
 *   3  country | winner's place + 1 << 10 | low 12 bits of the catalog's version << 20
 *   4  clearing price, micros
 *   5… states of the supply's bidders, ten to a word, three bits each
 */
const MAGIC = 0x4a524e31;
const HEADER_WORDS = 16;
const HEADER_COMMITTED = 2; // Low 32 bits of the position behind the last whole record.
const HEADER_TAIL = 2; // As a float64: the oldest position still kept.
const HEADER_COUNTED = 3; // As a float64: below it the store has confirmed everything once.
const HEADER_RECORDED = 4; // As a float64: records ever committed.
/** Longest record: a supply of as many bidders as a catalog allows. */
const RECORD_WORDS_MAX = RECORD_FIXED_WORDS + Math.ceil(BIDDERS_MAX / STATES_PER_WORD);
assert(BIDDERS_MAX < 1_024, "a winner's place has ten bits");
assert(ENTRIES_MAX <= 2 ** NUMBER_BITS, "a supply's number has its bits");
const LOW = 2 ** 32;

export const HEADER_BYTES = HEADER_WORDS * 4;

/** Bytes of a journal with a ring of so many words. */
export const journalBytes = (ringWords: number) => HEADER_BYTES + ringWords * 4;

/** Outcomes in bytes that outlive their process: a shared mapping, no system call per record. */
export interface Journal {
  /** Behind the last whole record, by whichever process it was written. */
  committed(): number;
  /** The oldest position still kept. */
  tail(): number;
  /** False when one more record of any length might not fit besides `reserved` others. */
  hasRoom(reserved: number): boolean;
  isHalfFull(): boolean;
  /** Writes a supply's names down before its first record. @throws Error when the disk refuses */
  name(supply: Supply): void;
  /**
   * Commits one outcome: it survives SIGKILL when this returns.
   * @throws Error when full, or where its supply has no name yet and the disk refuses
   */
  append(outcome: AuctionOutcome): void;
  /** Gives the words below a position back to the ring. */
  release(to: number): void;
  /**
   * Says, to whoever copies it, that the store has confirmed everything below the position. When
   * the store goes back, only its own counter counts that again: it must know since when.
   */
  tellCounted(position: number): void;
  scan: Scan;
  /** Every supply that was ever named, also where its records have been released. */
  supplyIds(): string[];
  close(): void;
}

/**
 * The journal in some bytes: zeros for a new one, or what another mapping has written.
 * @param names  what the numbers of its supplies stand for
 */
export function journalOver(bytes: Uint8Array, names: Names): Journal {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const header = new Float64Array(bytes.buffer, bytes.byteOffset, HEADER_WORDS / 2);
  const ringWords = words.length - HEADER_WORDS;
  assert(words[0] === MAGIC || words[0] === 0, "not a journal");
  words[0] = MAGIC;
  const mask = ringWords - 1;
  const at = (position: number) => HEADER_WORDS + (position & mask); // `&` takes it modulo 2^32.

  // Read each time: of a variable that rests for seconds the engine makes a constant, and compiles
  // every bid anew when it moves after all.
  const tail = () => header[HEADER_TAIL]!;
  // Another process may release meanwhile: the tail is read once.
  const readCommitted = () => committedAfter(tail(), words);
  let committed = readCommitted();

  const free = () => ringWords - (committed - tail());
  const hasRoom = (reserved: number) => free() >= (reserved + 1) * RECORD_WORDS_MAX;

  function append(outcome: AuctionOutcome): void {
    const { supply, eligible, states } = outcome;
    const length = RECORD_FIXED_WORDS + Math.ceil(supply.bidders.length / STATES_PER_WORD);
    if (free() < length) throw new Error("the journal is full");
    const entry = names.of(supply);
    const start = committed;
    words[at(start)] = (start << 8) | length;
    const ordinal = entry.recorded.count + 1;
    words[at(start + 1)] = entry.number | (Math.floor(ordinal / LOW) << NUMBER_BITS);
    words[at(start + 2)] = ordinal;
    words[at(start + 3)] =
      countryNumber(outcome.country) |
      ((outcome.winner + 1) << 10) |
      (outcome.catalogVersion << 20);
    words[at(start + 4)] = outcome.clearingPriceMicros;
    for (let i = RECORD_FIXED_WORDS; i < length; i++) words[at(start + i)] = 0;
    for (let i = 0; i < eligible.length; i++) {
      const place = eligible[i]!;
      const word = at(start + RECORD_FIXED_WORDS + Math.floor(place / STATES_PER_WORD));
      words[word] = words[word]! | (states[i]! << (3 * (place % STATES_PER_WORD)));
    }
    entry.recorded.count++;
    committed = start + length;
    // The commit point. Atomic, so that no compiler moves a word of the record behind it.
    Atomics.store(words, HEADER_COMMITTED, committed | 0);
    header[HEADER_RECORDED] = header[HEADER_RECORDED]! + 1;
  }

  function release(to: number): void {
    assert(to >= tail() && to <= committed, `release(${to}) outside ${tail()}..${committed}`);
    header[HEADER_TAIL] = to;
  }

  return {
    committed: () => {
      committed = readCommitted();
      return committed;
    },
    tail,
    hasRoom,
    isHalfFull: () => free() < ringWords / 2,
    name: (supply) => void names.of(supply),
    append,
    release,
    tellCounted: (position) => {
      header[HEADER_COUNTED] = position;
    },
    scan: createScan(words, at, names),
    supplyIds: names.supplyIds,
    close: names.close,
  };
}

/** What a journal's header says. */
export interface JournalHeader {
  readonly tail: number;
  readonly committed: number;
  /** Below it the store has confirmed everything once. */
  readonly counted: number;
  /** So many records were committed ever: the last ordinals of all supplies, added up. */
  readonly recorded: number;
}

/** @throws Error when it is not a journal's */
export function parseHeader(bytes: Uint8Array): JournalHeader {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_WORDS);
  const header = new Float64Array(bytes.buffer, bytes.byteOffset, HEADER_WORDS / 2);
  assert(words[0] === MAGIC, "not a journal");
  const tail = header[HEADER_TAIL]!;
  return {
    tail,
    committed: committedAfter(tail, words),
    counted: header[HEADER_COUNTED]!,
    recorded: header[HEADER_RECORDED]!,
  };
}

const committedAfter = (tail: number, words: Int32Array) =>
  tail + (((Atomics.load(words, HEADER_COMMITTED) >>> 0) - (tail % LOW)) >>> 0);
