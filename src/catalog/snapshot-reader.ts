import { open } from "node:fs/promises";
import { type Catalog, type CatalogBidder, createCatalogBuilder, type Supply } from "./catalog.ts";
import { parseHeader, type SnapshotHeader, splitLine } from "./snapshot-file.ts";

/** Taken in at once: some three milliseconds of the event loop, which serves bids in between. */
const SLICE_BYTES = 2 ** 16;
const NEWLINE = 10;

/** Builds one snapshot after the other from a file, each with what has not changed of the last. */
export interface SnapshotReader {
  /**
   * Reads the file in slices of a few milliseconds.
   * @returns undefined when it holds what was read last
   * @throws Error when it cannot be read whole; what was read last stays the last
   */
  read(path: string): Promise<Catalog | undefined>;
}

/** Bidders and supplies by id, each with the digest of the line that it was made of. */
interface Entries {
  header: SnapshotHeader | undefined;
  bidders: Map<string, { digest: bigint; entry: CatalogBidder }>;
  supplies: Map<string, bigint>;
  catalog: Catalog | undefined;
}

export function createSnapshotReader(): SnapshotReader {
  let last: Entries = {
    header: undefined,
    bidders: new Map(),
    supplies: new Map(),
    catalog: undefined,
  };

  async function read(path: string): Promise<Catalog | undefined> {
    const next: Entries = { ...last, header: undefined, bidders: new Map(), supplies: new Map() };
    const builder = createCatalogBuilder();
    for await (const lines of slices(path)) {
      for (const line of lines) {
        if (next.header) {
          addLine(line);
          continue;
        }
        next.header = parseHeader(line.toString());
        const { version, digest } = next.header;
        if (version === last.header?.version && digest === last.header.digest) return undefined;
      }
    }
    const { header } = next;
    const isWhole = header?.bidders === next.bidders.size && header.supplies === next.supplies.size;
    if (!isWhole) throw new Error(`${path}: not a whole snapshot`);
    next.catalog = builder.finish(header.version);
    last = next;
    return next.catalog;

    function addLine(line: Buffer): void {
      const digest = Bun.hash.xxHash64(line);
      const id = line.toString("latin1", 2, line.indexOf(" ", 2)); // Ids are ASCII.
      if (line[0] === "b".charCodeAt(0)) addBidder(id, digest, line);
      else addSupply(id, digest, line);
    }

    function addBidder(id: string, digest: bigint, line: Buffer): void {
      const known = last.bidders.get(id);
      const isSame = known?.digest === digest;
      const entry = isSame ? known!.entry : builder.addBidder(id, jsonOf(line));
      if (isSame) builder.keepBidder(entry);
      next.bidders.set(id, { digest, entry });
    }

    function addSupply(id: string, digest: bigint, line: Buffer): void {
      next.supplies.set(id, digest);
      const known: Supply | undefined = last.catalog?.supplies.get(id);
      const isSame = known !== undefined && last.supplies.get(id) === digest;
      if (!isSame || !builder.keepSupply(known)) builder.addSupply(id, jsonOf(line));
    }
  }

  return { read };
}

const jsonOf = (line: Buffer) => JSON.parse(splitLine(line.toString()).json);

/** The whole lines of a file, slice by slice. The event loop turns before each one. */
async function* slices(path: string): AsyncGenerator<Buffer[]> {
  const file = await open(path);
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const { buffer, bytesRead } = await file.read(
        Buffer.allocUnsafe(SLICE_BYTES),
        0,
        SLICE_BYTES,
      );
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const lines: Buffer[] = [];
      let from = 0;
      for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
        lines.push(bytes.subarray(from, to));
        from = to + 1;
      }
      rest = bytes.subarray(from);
      yield lines;
    }
  } finally {
    await file.close();
  }
}
