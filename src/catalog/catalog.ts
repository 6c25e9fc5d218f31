import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";

/** Most bidders of one supply: a journal record has three bits for each. */
export const BIDDERS_MAX = 1000;

const Id = Type.String({ minLength: 1, maxLength: 64, pattern: "^[\\x21-\\x7e]+$" });

/** The catalog as written down. Unknown fields are refused: a misspelt one must not be ignored. */
const CatalogSchema = Type.Object(
  {
    supplies: Type.Record(Type.String(), Type.Array(Id, { maxItems: BIDDERS_MAX })),
    bidders: Type.Record(
      Type.String(),
      Type.Object(
        { country: Type.String({ pattern: "^[A-Z]{2}$" }) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type CatalogDocument = Static<typeof CatalogSchema>;

/** Who may bid. */
export interface CatalogBidder {
  readonly id: string;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
}

/** One sellable placement of a publisher. */
export interface Supply {
  readonly id: string;
  /** Every bidder of the supply, in catalog order. */
  readonly bidders: readonly CatalogBidder[];
  /** Places in `bidders` of those who may bid for a country. No entry: nobody may. */
  readonly eligible: ReadonlyMap<string, readonly number[]>;
}

/** An immutable snapshot: every auction runs on exactly one. */
export interface Catalog {
  /** Rises by one with each snapshot that one supervisor has accepted. */
  readonly version: number;
  readonly supplies: ReadonlyMap<string, Supply>;
  readonly bidderCount: number;
}

/** One line per fault of a catalog: its JSON pointer and the rule. */
export class CatalogError extends Error {
  override name = "CatalogError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`bad catalog:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

const PROBLEMS_MAX = 20;
const check = TypeCompiler.Compile(CatalogSchema);

/**
 * Validates a catalog whole.
 * @throws CatalogError naming the JSON pointer of each fault, the first 20 of them
 */
export function validateCatalog(input: unknown): CatalogDocument {
  const problems: string[] = [];
  const report = (pointer: string, rule: string) => {
    if (problems.length < PROBLEMS_MAX) problems.push(`#${pointer}: ${rule}`);
  };
  if (!check.Check(input)) {
    for (const { path, message } of check.Errors(input)) {
      report(path, message.charAt(0).toLowerCase() + message.slice(1));
      if (problems.length === PROBLEMS_MAX) break;
    }
    throw new CatalogError(problems);
  }
  for (const kind of ["supplies", "bidders"] as const) {
    for (const id of Object.keys(input[kind])) {
      if (!/^[\x21-\x7e]{1,64}$/.test(id)) {
        report(`/${kind}/${escapePointer(id)}`, "expected an id of 1 to 64 printable characters");
      }
    }
  }
  const known = new Set(Object.keys(input.bidders));
  for (const [supplyId, bidderIds] of Object.entries(input.supplies)) {
    const seen = new Set<string>();
    bidderIds.forEach((bidderId, i) => {
      const pointer = `/supplies/${escapePointer(supplyId)}/${i}`;
      if (!known.has(bidderId)) report(pointer, "expected the id of a bidder of this catalog");
      else if (seen.has(bidderId)) report(pointer, "expected each bidder once");
      seen.add(bidderId);
    });
  }
  if (problems.length > 0) throw new CatalogError(problems);
  return input;
}

const escapePointer = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");

/** Builds the snapshot of a validated catalog, with the eligible bidders of each country. */
export function buildCatalog(document: CatalogDocument, version: number): Catalog {
  const bidders = new Map<string, CatalogBidder>();
  for (const [id, { country }] of Object.entries(document.bidders)) {
    bidders.set(id, { id, country });
  }
  const supplies = new Map<string, Supply>();
  for (const [id, bidderIds] of Object.entries(document.supplies)) {
    const members = bidderIds.map((bidderId) => bidders.get(bidderId)!);
    supplies.set(id, { id, bidders: members, eligible: groupByCountry(members) });
  }
  return { version, supplies, bidderCount: bidders.size };
}

function groupByCountry(members: readonly CatalogBidder[]): Map<string, number[]> {
  const eligible = new Map<string, number[]>();
  members.forEach(({ country }, place) => {
    const places = eligible.get(country);
    if (places) places.push(place);
    else eligible.set(country, [place]);
  });
  return eligible;
}
