import { open } from "node:fs/promises";
import {
  type Catalog,
  type CatalogBuilder,
  type CatalogEntries,
  createCatalogBuilder,
} from "./catalog.ts";
import { parseHeader, type SnapshotHeader } from "./snapshot-file.ts";

/** Taken in at once: a millisecond or two of the event loop, which serves bids in between. */
const SLICE_BYTES = 2 ** 15;
const NEWLINE = 10;
const SPACE = 32;

/** Builds one snapshot after the other from a file, each with what has not changed of the last. */
export interface SnapshotReader {
  /**
   * Reads the file in slices of a few milliseconds. Calls do not overlap.
   * @returns undefined when it holds what was read last
   * @throws Error when it cannot be read whole; what was read last stays the last
   */
  read(path: string): Promise<Catalog | undefined>;
}

export function createSnapshotReader(): SnapshotReader {
  let last: { header: SnapshotHeader; entries: CatalogEntries } | undefined;

  async function read(path: string): Promise<Catalog | undefined> {
    const builder = createCatalogBuilder(last?.entries);
    let header: SnapshotHeader | undefined;
    for await (const { bytes, end } of slices(path)) {
      for (let from = 0; from < end; ) {
        const to = bytes.indexOf(NEWLINE, from);
        if (header) addLine(builder, bytes, from, to);
        else header = parseHeader(bytes.toString("utf8", from, to));
        from = to + 1;
      }
      if (header && last && isSame(header, last.header)) return undefined;
    }
    if (!header || !isWhole(header, builder.entries))
      throw new Error(`${path}: not a whole snapshot`);
    last = { header, entries: builder.entries };
    return builder.finish(header.version);
  }

  return { read };
}

const isSame = (one: SnapshotHeader, other: SnapshotHeader) =>
  one.version === other.version && one.digest === other.digest;

const isWhole = (header: SnapshotHeader, { bidders, supplies }: CatalogEntries) =>
  header.bidders === bidders.size && header.supplies === supplies.size;

/** One line, `b ID DIGEST JSON` or `s ID DIGEST JSON`. Of one that is known no JSON is read. */
function addLine(builder: CatalogBuilder, bytes: Buffer, from: number, to: number): void {
  const idEnd = bytes.indexOf(SPACE, from + 2);
  const id = bytes.toString("latin1", from + 2, idEnd); // Ids are ASCII.
  let digest = 0;
  let at = idEnd + 1;
  for (; bytes[at] !== SPACE; at++) digest = digest * 10 + (bytes[at]! - 48);
  const read = () => JSON.parse(bytes.toString("utf8", at + 1, to));
  if (bytes[from] === "b".charCodeAt(0)) builder.addBidder(id, digest, read);
  else builder.addSupply(id, digest, read);
}

/**
 * A file slice by slice, each up to the end of its last whole line. The event loop turns before
 * each; the bytes are good until the next.
 */
async function* slices(path: string): AsyncGenerator<{ bytes: Buffer; end: number }> {
  const file = await open(path);
  try {
    let bytes = Buffer.allocUnsafe(2 * SLICE_BYTES);
    let filled = 0;
    for (;;) {
      if (bytes.length < filled + SLICE_BYTES) bytes = Buffer.concat([bytes], 2 * bytes.length);
      await new Promise(setImmediate); // One turn may bring many reads of a cached file.
      const { bytesRead } = await file.read(bytes, filled, SLICE_BYTES);
      if (bytesRead === 0) return;
      filled += bytesRead;
      const end = bytes.subarray(0, filled).lastIndexOf(NEWLINE) + 1;
      yield { bytes, end };
      bytes.copyWithin(0, end, filled);
      filled -= end;
    }
  } finally {
    await file.close();
  }
}
