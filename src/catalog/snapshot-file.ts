import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BidderDocument, CatalogDocument, SupplyDocument } from "./document.ts";

/** The first line of a snapshot. */
export interface SnapshotHeader {
  readonly format: 1;
  /** Where the catalog came from, without passwords. */
  readonly source: string;
  readonly version: number;
  /** Of the bidders and supplies; the same for the same content. */
  readonly digest: string;
  readonly bidders: number;
  readonly supplies: number;
  /** When it was read, milliseconds since the epoch. */
  readonly takenAtMs: number;
  /** A supply and a country that somebody bids for, where there is one. */
  readonly sample: { readonly supplyId: string; readonly country: string };
}

const FORMAT = 1;
const HEADER_BYTES_MAX = 4_096;
const WRITE_CHARACTERS = 2 ** 20;
/** Leaves as many of 64 bits as a number holds exactly. */
const DIGEST_SHIFT = 64n - 53n;

/** Where the snapshot in force is kept. */
export const snapshotPath = (dataDir: string) => join(dataDir, "catalog.snapshot");

/**
 * A validated catalog as lines: a header, then `b ID DIGEST JSON` for each bidder, then
 * `s ID DIGEST JSON` for each supply. Every line is small, so a reader can stop for breath between
 * any two; the digest, a whole number, spares it those that it knows.
 */
export function formatSnapshot(
  document: CatalogDocument,
  facts: Pick<SnapshotHeader, "source" | "version" | "takenAtMs">,
): { header: SnapshotHeader; lines: string[] } {
  const lines = [
    ...linesOf("b", Object.entries(document.bidders)),
    ...linesOf("s", Object.entries(document.supplies)),
  ];
  const digest = lines.reduce((seed, line) => Bun.hash.xxHash64(line, seed), 0n).toString(16);
  const bidders = Object.keys(document.bidders).length;
  const sample = findSample(document);
  const counts = { bidders, supplies: lines.length - bidders };
  return { header: { format: FORMAT, ...facts, digest, ...counts, sample }, lines };
}

function* linesOf(kind: "b" | "s", entries: [id: string, value: unknown][]) {
  for (const [id, value] of entries) {
    const json = JSON.stringify(value);
    yield `${kind} ${id} ${Bun.hash.xxHash64(json) >> DIGEST_SHIFT} ${json}\n`;
  }
}

function findSample({ bidders, supplies }: CatalogDocument): SnapshotHeader["sample"] {
  for (const [supplyId, supply] of Object.entries(supplies)) {
    const [first] = Array.isArray(supply) ? supply : supply.bidders;
    if (first === undefined) continue;
    const { country, countries } = bidders[first]!;
    return { supplyId, country: country ?? countries![0]! };
  }
  return { supplyId: "supply1", country: "US" };
}

/**
 * Replaces the file as one step. It is for this user alone: bidders' headers may hold keys.
 * @throws Error when the disk refuses; the file is as it was
 */
export async function writeSnapshot(
  path: string,
  { header, lines }: ReturnType<typeof formatSnapshot>,
): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true }); // A leftover may have another mode.
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      let text = `${JSON.stringify(header)}\n`;
      for (const line of lines) {
        text += line;
        if (text.length < WRITE_CHARACTERS) continue;
        await file.writeFile(text);
        text = "";
      }
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Error(`cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** The header of a snapshot; undefined when there is none, or one of another release. */
export async function readSnapshotHeader(path: string): Promise<SnapshotHeader | undefined> {
  try {
    const start = await Bun.file(path).slice(0, HEADER_BYTES_MAX).text();
    return parseHeader(start.slice(0, start.indexOf("\n")));
  } catch {
    return undefined;
  }
}

/** @throws Error when the line is no header of this format */
export function parseHeader(line: string): SnapshotHeader {
  const header = JSON.parse(line) as SnapshotHeader;
  if (header.format !== FORMAT) throw new Error(`not a snapshot of format ${FORMAT}`);
  return header;
}

/**
 * The catalog of a snapshot; undefined when there is none, or one of another release.
 * @throws Error when it is not whole
 */
export async function readSnapshotDocument(path: string): Promise<CatalogDocument | undefined> {
  if (!(await readSnapshotHeader(path))) return undefined;
  const bidders: [string, BidderDocument][] = [];
  const supplies: [string, string[] | SupplyDocument][] = [];
  for (const line of (await readFile(path, "utf8")).split("\n").slice(1, -1)) {
    const [, kind, id, json] = /^(b|s) (\S+) \d+ (.*)$/s.exec(line) ?? [];
    if (kind === "b") bidders.push([id!, JSON.parse(json!)]);
    else supplies.push([id!, JSON.parse(json!)]);
  }
  return { bidders: Object.fromEntries(bidders), supplies: Object.fromEntries(supplies) };
}
