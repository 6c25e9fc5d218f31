import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler, type ValueErrorIterator } from "@sinclair/typebox/compiler";
import { escapePointer, ruleOf } from "../json-fault.ts";
import { parseLatencyRange } from "../latency-range.ts";
import { type EgressRule, endpointProblem } from "./egress.ts";

/** Most bidders of one supply: a journal record has three bits for each. */
export const BIDDERS_MAX = 1000;

/** Unknown fields are refused everywhere: a misspelt one must not be ignored. */
const CLOSED = { additionalProperties: false };
const Id = Type.String({ minLength: 1, maxLength: 64, pattern: "^[\\x21-\\x7e]+$" });
const CountryCode = Type.String({ pattern: "^[A-Z]{2}$" });
/** No control characters and no halves of a pair: what every database stores as it is. */
const CHARACTERS = "(?:[^\\x00-\\x1f\\x7f\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])";
const textUpTo = (maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: `^${CHARACTERS}+$` });
const Text = textUpTo(256);
const Mime = Type.String({ maxLength: 256, pattern: "^[\\x21-\\x7e]+$" });
const Pixels = Type.Integer({ minimum: 1, maximum: 10_000 });
const Seconds = Type.Integer({ minimum: 0, maximum: 3_600 });

/** A bidder: simulated without an endpoint. Has `country` or `countries`. */
const BidderSchema = Type.Object(
  {
    country: Type.Optional(CountryCode),
    countries: Type.Optional(
      Type.Array(CountryCode, { minItems: 1, maxItems: 676, uniqueItems: true }),
    ),
    /** Where bid requests are sent: an http or https URL. */
    endpoint: Type.Optional(
      Type.String({ maxLength: 2_048, pattern: "^https?://[\\x21-\\x7e]+$" }),
    ),
    /** The only seat that its bids may name. */
    seat: Type.Optional(Id),
    /** Calls of one worker that may be under way. */
    max_in_flight: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    /** Calls a second of the whole exchange. */
    max_qps: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    /** Longest call, milliseconds; the auction's deadline holds as well. */
    timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
    /** Whether bid requests are compressed. */
    gzip: Type.Optional(Type.Boolean()),
    /** False: its bid counts if it is back when the others are; nobody waits for it. */
    wait: Type.Optional(Type.Boolean()),
    /** Sent with each call. */
    headers: Type.Optional(
      Type.Record(
        Type.String({ pattern: "^[A-Za-z0-9-]{1,64}$" }),
        Type.String({ maxLength: 1_024, pattern: "^[\\x20-\\x7e]*$" }),
        { ...CLOSED, minProperties: 1, maxProperties: 16 },
      ),
    ),
    no_bid_probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** "min-max", milliseconds. */
    latency_ms: Type.Optional(Type.String({ pattern: "^[0-9]{1,5}-[0-9]{1,5}$" })),
  },
  CLOSED,
);
export type BidderDocument = Static<typeof BidderSchema>;

/** What bidders are told of the placement, in OpenRTB 2.6 terms (3.2.4, 3.2.6, 3.2.7, 3.2.9). */
const ImpSchema = Type.Object(
  {
    banner: Type.Optional(
      Type.Object(
        {
          format: Type.Array(Type.Object({ w: Pixels, h: Pixels }, CLOSED), {
            minItems: 1,
            maxItems: 32,
            uniqueItems: true,
          }),
        },
        CLOSED,
      ),
    ),
    video: Type.Optional(
      Type.Object(
        {
          mimes: Type.Array(Mime, { minItems: 1, maxItems: 16, uniqueItems: true }),
          w: Type.Optional(Pixels),
          h: Type.Optional(Pixels),
          minduration: Type.Optional(Seconds),
          maxduration: Type.Optional(Seconds),
          protocols: Type.Optional(
            Type.Array(Type.Integer({ minimum: 1, maximum: 9_999 }), {
              minItems: 1,
              maxItems: 32,
              uniqueItems: true,
            }),
          ),
        },
        CLOSED,
      ),
    ),
    native: Type.Optional(
      Type.Object({ request: textUpTo(4_096), ver: Type.Optional(Text) }, CLOSED),
    ),
  },
  { ...CLOSED, minProperties: 1 },
);

const AppSchema = Type.Object(
  {
    bundle: Text,
    name: Type.Optional(Text),
    domain: Type.Optional(Text),
    storeurl: Type.Optional(textUpTo(2_048)),
  },
  CLOSED,
);

const Members = Type.Array(Id, { maxItems: BIDDERS_MAX });
const SupplySchema = Type.Object(
  {
    bidders: Members,
    /** CPM, at most 2 decimals: the lowest price that wins. */
    floor: Type.Optional(Type.Number({ minimum: 0, maximum: 4_000 })),
    /** First price unless said. */
    auction: Type.Optional(Type.Union([Type.Literal("first_price"), Type.Literal("second_price")])),
    imp: Type.Optional(ImpSchema),
    domain: Type.Optional(Text),
    app: Type.Optional(AppSchema),
  },
  CLOSED,
);
export type SupplyDocument = Static<typeof SupplySchema>;

/** The catalog as written down. A supply's short form is the list of its bidders. */
export interface CatalogDocument {
  supplies: Record<string, string[] | SupplyDocument>;
  bidders: Record<string, BidderDocument>;
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

/** Of a bid request: they say how it is read. */
const OWN_HEADERS = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-openrtb-version",
]);
const PROBLEMS_MAX = 20;
const ID = /^[\x21-\x7e]{1,64}$/;
const shape = TypeCompiler.Compile(
  Type.Object(
    {
      supplies: Type.Record(Type.String(), Type.Unknown()),
      bidders: Type.Record(Type.String(), BidderSchema),
    },
    CLOSED,
  ),
);
const shortForm = TypeCompiler.Compile(Members);
const longForm = TypeCompiler.Compile(SupplySchema);

/**
 * Validates a catalog whole.
 * @param egress  whom bidders' endpoints may mean
 * @throws CatalogError naming the JSON pointer of each fault, the first 20 of them
 */
export function validateCatalog(
  input: unknown,
  egress: EgressRule = { allowPrivate: false },
): CatalogDocument {
  const problems: string[] = [];
  const isFull = () => problems.length === PROBLEMS_MAX;
  const report = (pointer: string, rule: string) => {
    if (!isFull()) problems.push(`#${pointer}: ${rule}`);
  };
  const reportAll = (errors: ValueErrorIterator, at = "") => {
    for (const error of errors) {
      report(at + error.path, ruleOf(error));
      if (isFull()) return;
    }
  };

  if (!shape.Check(input)) {
    reportAll(shape.Errors(input));
    throw new CatalogError(problems);
  }
  const { supplies, bidders } = input as CatalogDocument;
  for (const [kind, entries] of Object.entries({ supplies, bidders })) {
    for (const id of Object.keys(entries)) {
      if (!ID.test(id)) {
        report(`/${kind}/${escapePointer(id)}`, "expected an id of 1 to 64 printable characters");
      }
    }
  }
  for (const [id, bidder] of Object.entries(bidders)) {
    checkBidder(`/bidders/${escapePointer(id)}`, bidder);
    if (isFull()) break;
  }
  const known = new Set(Object.keys(bidders));
  for (const [id, supply] of Object.entries(supplies)) {
    const at = `/supplies/${escapePointer(id)}`;
    const form = Array.isArray(supply) ? shortForm : longForm;
    if (!form.Check(supply)) reportAll(form.Errors(supply), at);
    else checkSupply(at, supply);
    if (isFull()) break;
  }
  if (problems.length > 0) throw new CatalogError(problems);
  return input as CatalogDocument;

  function checkBidder(at: string, bidder: BidderDocument): void {
    const { country, countries, endpoint, headers = {}, latency_ms: latency = "0-0" } = bidder;
    if ((country === undefined) === (countries === undefined)) {
      report(at, "expected either country or countries");
    }
    const problem = endpoint === undefined ? undefined : endpointProblem(endpoint, egress);
    if (problem !== undefined) report(`${at}/endpoint`, problem);
    for (const name of Object.keys(headers)) {
      if (!OWN_HEADERS.has(name.toLowerCase())) continue;
      report(`${at}/headers/${name}`, "expected a header that the exchange does not set itself");
    }
    const { leastMs, mostMs } = parseLatencyRange(latency);
    if (leastMs > mostMs) report(`${at}/latency_ms`, "expected the least before the most");
  }

  function checkSupply(at: string, supply: string[] | SupplyDocument): void {
    const members = Array.isArray(supply) ? supply : supply.bidders;
    const seen = new Set<string>();
    members.forEach((id, i) => {
      const pointer = `${at}${members === supply ? "" : "/bidders"}/${i}`;
      if (!known.has(id)) report(pointer, "expected the id of a bidder of this catalog");
      else if (seen.has(id)) report(pointer, "expected each bidder once");
      seen.add(id);
    });
    if (Array.isArray(supply)) return;
    const { floor = 0, domain, app } = supply;
    if (Math.round(floor * 100) / 100 !== floor) {
      report(`${at}/floor`, "expected at most 2 decimals");
    }
    if (domain !== undefined && app) report(at, "expected either domain or app");
  }
}
