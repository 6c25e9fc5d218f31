/*
 * The bytes: a header, a ring of 32-byte nodes, one per admission, and the heads of chains. A
 * position counts admissions modulo 2^32; its node is at that place modulo the ring. A client's
 * newest node hangs in the chain of its bucket, the older ones behind it:
 *
 *   time       float64: when it was admitted, milliseconds
 *   key        64 bits that stand for the client
 *   neighbour  position of the node before this one in the chain: another client's newest
 *   previous   position of the same client's admission before this one
 *   jump       of one further back (Myers, "An applicative random-access stack", 1983): each of
 *              them is found in a logarithmic number of steps
 *   nth        which of the client's this is; 0: noted, and in no chain yet
 *
 * Position 0 is none. Nothing is deleted: the ring writes over the oldest, and who walks a chain
 * stops there. A new head is set by compare and swap, which fails where another process was faster:
 * who decided on the old chain decides anew. So processes share the bytes without a lock, and one
 * that is killed at any instruction leaves an unused node and no more.
 */
const HEADER_WORDS = 16;
const HEADER_LAST = 0; // The position that was given away last.
const HEADER_SEED = 1;
const NODE_WORDS = 8;
const KEY_LOW = 2; // The time is in words 0 and 1.
const KEY_HIGH = 3;
const NEIGHBOUR = 4;
const PREVIOUS = 5;
const JUMP = 6;
const NTH = 7;

/** What is to be written over next may be written over while it is read, so it is read no more. */
const UNREAD_SHARE = 1 / 16;

/**
 * Bytes of a ring of so many admissions, a power of two: 36 for each. There are as many chains, so
 * that few have a second node: each one that is passed is memory that is in no cache.
 */
export const ringBytes = (admissions: number) => (HEADER_WORDS + admissions * (NODE_WORDS + 1)) * 4;

/** Admissions by client, in bytes that several processes may share. The oldest are forgotten. */
export interface AdmissionRing {
  /**
   * Looks a client up. The other calls are about this one, and what it had at this moment.
   * @param windowMs  the same at every call, or shorter: what was older once may be gone
   * @returns how many admissions it has that are younger than `windowMs`
   */
  lookUp(client: string, nowMs: number, windowMs: number): number;
  /** Time of the `nth` newest admission, from 1 to what `lookUp` has returned. Milliseconds. */
  timeOf(nth: number): number;
  /**
   * Adds an admission, the newest of the client whatever its time: right after its `lookUp`.
   * @returns false where another process has added one meanwhile: nothing was added, look again
   */
  append(atMs: number): boolean;
  /**
   * Adds an admission without a look at the client's others, for a fraction of what that takes: the
   * next `lookUp` makes up for it. For bytes that no other process shares.
   * @param atMs  milliseconds, not before any other of the client
   */
  note(client: string, atMs: number): void;
}

/** The ring in some bytes: zeros for a new one, or what another mapping has written. */
export function admissionRingOver(bytes: Uint8Array): AdmissionRing {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const times = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  // Integers to the engine as well: else it compiles `lookUp` on and on, each time in vain.
  const slots = ((words.length - HEADER_WORDS) / (NODE_WORDS + 1)) | 0;
  const heads = HEADER_WORDS + slots * NODE_WORDS;
  const kept = (slots * (1 - UNREAD_SHARE)) | 0;
  // Secret, so that nobody finds clients that share a key or crowd a bucket.
  Atomics.compareExchange(words, HEADER_SEED, 0, randomInt32());
  const seed = words[HEADER_SEED]!;

  let low = 0;
  let high = 0;
  let bucket = 0;
  let head = 0;
  let last = 0;
  /** The client's node in the chain, and the one that leads to it; 0: none, the head does. */
  let own = 0;
  let before = 0;
  /** The same node where it is young enough. */
  let newest = 0;
  let nowMs = 0;
  let windowMs = 0;
  /** The first that is kept of those that were noted and hang in no chain yet; 0: none. */
  let noted = 0;

  const nodeAt = (position: number) => HEADER_WORDS + (position & (slots - 1)) * NODE_WORDS;
  const timeAt = (position: number) => times[nodeAt(position) >> 1]!;
  const ageOf = (position: number) => nowMs - timeAt(position);
  const wordAt = (position: number, word: number) => words[nodeAt(position) + word]!;
  const isKept = (position: number) => position !== 0 && (last - position) >>> 0 < kept;
  /** Every step of a walk goes back, so it ends whatever it reads. */
  const isOlder = (position: number, than: number) =>
    isKept(position) && (last - position) >>> 0 > (last - than) >>> 0;

  function lookUp(client: string, atMs: number, forMs: number): number {
    nowMs = atMs;
    windowMs = forMs;
    if (noted !== 0) hangNoted();
    return lookUpKey(lowOf(client), highOf(client));
  }

  const lowOf = (client: string) => Bun.hash.murmur32v3(client, seed) | 0;
  const highOf = (client: string) => Bun.hash.xxHash32(client, seed) | 0;

  function lookUpKey(keyLow: number, keyHigh: number): number {
    low = keyLow;
    high = keyHigh;
    bucket = heads + (low & (slots - 1));
    head = Atomics.load(words, bucket);
    last = Atomics.load(words, HEADER_LAST);
    before = 0;
    own = isKept(head) ? head : 0;
    while (own !== 0 && !isOfClient(own)) {
      before = own;
      const neighbour = wordAt(own, NEIGHBOUR);
      own = isOlder(neighbour, own) ? neighbour : 0;
    }
    newest = own !== 0 && ageOf(own) < windowMs ? own : 0;
    return newest === 0 ? 0 : 1 + nthSince(furthest(slots), newest);
  }

  const isOfClient = (position: number) =>
    wordAt(position, KEY_LOW) === low && wordAt(position, KEY_HIGH) === high;

  const timeOf = (nth: number) => timeAt(furthest(nth));

  const nthSince = (older: number, position: number) =>
    (wordAt(position, NTH) - wordAt(older, NTH)) | 0;

  /** Of the `most` newest admissions of the client, the oldest that is young enough. */
  function furthest(most: number): number {
    let position = newest;
    for (;;) {
      const jump = wordAt(position, JUMP);
      const previous = wordAt(position, PREVIOUS);
      if (isAmong(jump, position, most)) position = jump;
      else if (isAmong(previous, position, most)) position = previous;
      else return position;
    }
  }

  const isAmong = (older: number, than: number, most: number) =>
    isOlder(older, than) && ageOf(older) < windowMs && nthSince(older, newest) < most;

  const append = (atMs: number) => hang(write(atMs, low, high));

  function note(client: string, atMs: number): void {
    const position = write(atMs, lowOf(client), highOf(client));
    if (noted === 0) noted = position;
    else if ((position - noted) >>> 0 >= kept) noted = (position - kept + 1) | 0 || 1;
  }

  /** In their order: each chain goes back. */
  function hangNoted(): void {
    const end = Atomics.load(words, HEADER_LAST);
    for (let position = noted; noted !== 0; position = (position + 1) | 0) {
      if (position === end) noted = 0;
      const isHung = position === 0 || wordAt(position, NTH) !== 0;
      if (isHung || ageOf(position) >= windowMs) continue;
      lookUpKey(wordAt(position, KEY_LOW), wordAt(position, KEY_HIGH));
      hang(position);
    }
  }

  /** @returns the position of a node that hangs in no chain */
  function write(atMs: number, keyLow: number, keyHigh: number): number {
    const position = takePosition();
    const node = nodeAt(position);
    times[node >> 1] = atMs;
    words[node + KEY_LOW] = keyLow;
    words[node + KEY_HIGH] = keyHigh;
    words[node + NTH] = 0;
    return position;
  }

  /** Puts a node of the client that was looked up at the head of its chain. */
  function hang(position: number): boolean {
    const node = nodeAt(position);
    words[node + NEIGHBOUR] = own !== 0 && own === head ? wordAt(own, NEIGHBOUR) : head;
    words[node + PREVIOUS] = newest;
    words[node + JUMP] = newest === 0 ? position : jumpFrom(newest);
    words[node + NTH] = newest === 0 ? 1 : wordAt(newest, NTH) + 1;
    // The commit point. Atomic, so that no compiler moves a word of the node behind it.
    if (Atomics.compareExchange(words, bucket, head, position) !== head) return false;
    // A chain holds each client once, but where its link has changed meanwhile.
    if (own !== 0 && own !== head) {
      const link = nodeAt(before) + NEIGHBOUR;
      Atomics.compareExchange(words, link, own, wordAt(own, NEIGHBOUR));
    }
    return true;
  }

  function takePosition(): number {
    const position = (Atomics.add(words, HEADER_LAST, 1) + 1) | 0;
    return position === 0 ? takePosition() : position;
  }

  /** As far back as two equal jumps, where there are such, else to the one before. */
  function jumpFrom(previous: number): number {
    const jump = wordAt(previous, JUMP);
    if (!isKept(jump)) return previous;
    const further = wordAt(jump, JUMP);
    const isPair = isKept(further) && nthSince(jump, previous) === nthSince(further, jump);
    return isPair ? further : previous;
  }

  return { lookUp, timeOf, append, note };
}

const randomInt32 = () => crypto.getRandomValues(new Int32Array(1))[0]! | 1;
