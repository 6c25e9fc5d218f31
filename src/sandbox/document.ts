import { readFile } from "node:fs/promises";
import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Value } from "@sinclair/typebox/value";
import { type CatalogDocument, CatalogError, validateCatalog } from "../catalog/document.ts";
import { escapePointer, ruleOf } from "../json-fault.ts";
import { isOrdered } from "./distribution.ts";
import { type Profile, ProfileSchema } from "./profile.ts";
import type { StubOrder } from "./stub-bidder.ts";

/** Most bidders that one sandbox plays. */
const STUBS_MAX = 64;

const SandboxSchema = Type.Object(
  {
    /** The same seed: the same sequence of answers of each bidder. */
    seed: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, default: 1 }),
    /** What the exchange is told, without the endpoints of those that are played. */
    catalog: Type.Unknown(),
    /** How the bidders that are played behave, by their id in the catalog. */
    profiles: Type.Record(Type.String(), ProfileSchema, {
      minProperties: 1,
      maxProperties: STUBS_MAX,
    }),
  },
  { additionalProperties: false },
);
const shape = TypeCompiler.Compile(SandboxSchema);

/** A profiles file, whole. */
export interface SandboxDocument extends Static<typeof SandboxSchema> {
  catalog: CatalogDocument;
  profiles: Record<string, Profile>;
}

/** One line per fault of a profiles file: its JSON pointer and the rule. */
export class SandboxError extends Error {
  override name = "SandboxError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`bad profiles:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

const PROBLEMS_MAX = 20;

/**
 * Reads and validates a profiles file.
 * @throws SandboxError when the file is away, is not JSON or breaks a rule
 */
export async function loadSandboxFile(path: string): Promise<SandboxDocument> {
  let input: unknown;
  try {
    input = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new SandboxError([`${path}: ${(cause as Error).message}`]);
  }
  return validateSandbox(input);
}

/**
 * Validates a profiles file whole, and fills in what it leaves out.
 * @throws SandboxError naming the JSON pointer of each fault, the first 20 of them
 */
export function validateSandbox(input: unknown): SandboxDocument {
  const document = Value.Default(SandboxSchema, structuredClone(input)) as SandboxDocument;
  const problems = shape.Check(document)
    ? [...profileProblems(document), ...catalogProblems(document)]
    : schemaProblems(document);
  if (problems.length > 0) throw new SandboxError(problems.slice(0, PROBLEMS_MAX));
  return document;
}

/** The bidders that are played, each with the seat that its catalog entry names, or its id. */
export function ordersOf({ catalog, profiles }: SandboxDocument, seed: number): StubOrder[] {
  return Object.entries(profiles).map(([id, profile]) => {
    return { id, seat: catalog.bidders[id]!.seat ?? id, profile, seed };
  });
}

/** The catalog with the endpoints of those that are played. */
export function withEndpoints(
  catalog: CatalogDocument,
  endpoints: ReadonlyMap<string, string>,
): CatalogDocument {
  const bidders = Object.entries(catalog.bidders).map(([id, bidder]) => {
    const endpoint = endpoints.get(id);
    return [id, endpoint === undefined ? bidder : { ...bidder, endpoint }];
  });
  return { ...catalog, bidders: Object.fromEntries(bidders) };
}

function schemaProblems(document: unknown): string[] {
  const rules = new Map<string, string>();
  for (const error of shape.Errors(document)) {
    const { path, schema } = error;
    if (!rules.has(path)) rules.set(path, schema.expected ?? ruleOf(error));
    if (rules.size === PROBLEMS_MAX) break;
  }
  return [...rules].map(([path, rule]) => `#${path}: ${rule}`);
}

function profileProblems({ profiles }: SandboxDocument): string[] {
  const problems: string[] = [];
  for (const [id, profile] of Object.entries(profiles)) {
    const at = `#/profiles/${escapePointer(id)}`;
    for (const field of ["price", "latency_ms"] as const) {
      if (!isOrdered(profile[field])) problems.push(`${at}/${field}: expected the lower one first`);
    }
    const sum = Object.values(profile.misbehaviours).reduce((total, each) => total + each, 0);
    // Tenths do not add up to a whole exactly.
    if (sum > 1 + 1e-9) problems.push(`${at}/misbehaviours: expected a sum of at most 1`);
  }
  return problems;
}

function catalogProblems({ catalog, profiles }: SandboxDocument): string[] {
  try {
    validateCatalog(catalog);
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    return error.problems.map((problem) => problem.replace(/^#/, "#/catalog"));
  }
  const problems: string[] = [];
  for (const id of Object.keys(profiles)) {
    const bidder = Object.hasOwn(catalog.bidders, id) ? catalog.bidders[id] : undefined;
    const pointer = escapePointer(id);
    if (!bidder) problems.push(`#/profiles/${pointer}: expected the id of a bidder of the catalog`);
    else if (bidder.endpoint !== undefined) {
      problems.push(`#/catalog/bidders/${pointer}/endpoint: expected none, as it has a profile`);
    }
  }
  return problems;
}
