import { type Static, Type } from "@sinclair/typebox";
import { distributionSchema } from "./distribution.ts";

/** Most that a profile may name: dollars CPM, as floors in a catalog, and milliseconds. */
export const PRICE_MAX = 4_000;
export const LATENCY_MS_MAX = 60_000;

/** What an answer can get wrong while HTTP is kept. */
export const LIES = [
  "server_error",
  "redirect",
  "malformed_json",
  "wrong_id",
  "wrong_impid",
  "wrong_seat",
  "negative_price",
  "string_price",
  "nan_price",
  "infinite_price",
  "excessive_price",
  "foreign_currency",
  "two_bids",
] as const;
type Lie = (typeof LIES)[number];

/** What the bytes of an answer can get wrong, or their absence. */
export const FAULTS = [
  "hang",
  "hang_after_headers",
  "drip",
  "reset",
  "reset_mid_body",
  "huge_body",
  "gzip_bomb",
] as const;
export type Fault = (typeof FAULTS)[number];
export type Misbehaviour = Lie | Fault;

/** The five legal ways to decline (OpenRTB 2.6, 4.2.1 and 7.1). */
export const NO_BID_FORMS = [
  "no_content",
  "empty_object",
  "empty_seatbid",
  "empty_seatbid_nbr",
  "nbr",
] as const;
export type NoBidForm = (typeof NO_BID_FORMS)[number];

const CLOSED = { additionalProperties: false };
const Probability = Type.Number({ minimum: 0, maximum: 1 });
const kinds = [...LIES, ...FAULTS].join("|");
const noBids = [...NO_BID_FORMS, "any"] as const;

/** How a stub answers. Each request is one draw: misbehave in one way, else bid, else decline. */
export const ProfileSchema = Type.Object(
  {
    bid_probability: Type.Number({ minimum: 0, maximum: 1, default: 1 }),
    /** CPM in dollars, drawn in whole cents. */
    price: distributionSchema(0.01, PRICE_MAX, 1),
    /** Between a whole request and the first byte of the answer, drawn in whole milliseconds. */
    latency_ms: distributionSchema(0, LATENCY_MS_MAX, 0),
    /** How it declines; "any" draws a form each time. */
    no_bid: Type.Union(
      noBids.map((form) => Type.Literal(form)),
      { default: "no_content", expected: `expected one of ${noBids.join(", ")}` },
    ),
    /** Whether answers are compressed where the request accepts that. */
    gzip: Type.Boolean({ default: false }),
    /** The probability of each, together at most 1. */
    misbehaviours: Type.Unsafe<Readonly<Partial<Record<Misbehaviour, number>>>>(
      Type.Record(Type.String({ pattern: `^(${kinds})$` }), Probability, {
        ...CLOSED,
        default: {},
      }),
    ),
  },
  // A record fills in the defaults only of members that have one themselves.
  { ...CLOSED, default: {} },
);
export type Profile = Readonly<Static<typeof ProfileSchema>>;

export const isFault = (kind: string): kind is Fault =>
  (FAULTS as readonly string[]).includes(kind);
