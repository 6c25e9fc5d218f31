import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { ProblemCode, Violation } from "./problem.ts";

/** Most bytes of a request body; Bun refuses larger ones before we see them. */
export const BODY_BYTES_MAX = 16 * 1024;

/** The body of POST /bid. Unknown fields are ignored. Descriptions double as the rules of a 422. */
export const bidBodySchema = (tmaxMax: number) =>
  Type.Object(
    {
      supply_id: Type.String({
        minLength: 1,
        maxLength: 64,
        description: "a string of 1 to 64 characters",
        examples: ["supply1"],
      }),
      tmax: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: tmaxMax,
          description: `a whole number of milliseconds from 1 to ${tmaxMax}`,
          examples: [100],
        }),
      ),
    },
    { description: "an object with supply_id and, if you like, tmax" },
  );
type BidBody = Static<ReturnType<typeof bidBodySchema>>;

const COUNTRY_RULE = "two letters, ISO 3166-1 alpha-2";
export const CountrySchema = Type.String({ pattern: "^[A-Za-z]{2}$", description: COUNTRY_RULE });

/** A request that may go on to the auction, or the problem to answer. */
export type ReadBid =
  | { readonly body: BidBody; readonly country: string }
  | { readonly code: ProblemCode; readonly detail: string; readonly violations?: Violation[] };

/**
 * Answers a request by what it holds: handed over, not awaited, which is a promise less a bid.
 * Rejects with what `answer` throws.
 */
export type ReadBidRequest = <Answer>(
  request: Request,
  answer: (read: ReadBid) => Answer | Promise<Answer>,
) => Promise<Answer>;

/**
 * Checks a request in the contract's order: content type, JSON, schema. The schema is checked here
 * and not by Elysia, whose validation error repeats the input: a nested body of 4 kB becomes an
 * answer of megabytes, and headers and body are never reported together.
 */
export function createBidReader(tmaxMax: number): ReadBidRequest {
  const schema = bidBodySchema(tmaxMax);
  const bodyCheck = TypeCompiler.Compile(schema);
  const countryCheck = TypeCompiler.Compile(CountrySchema);

  function check(body: unknown, country: string | null): ReadBid {
    if (bodyCheck.Check(body) && countryCheck.Check(country)) {
      return { body, country: country.toUpperCase() };
    }
    const violations = bodyCheck.Check(body) ? [] : describe(body);
    if (!countryCheck.Check(country)) {
      violations.push({ pointer: "#/headers/x-country", detail: `expected ${COUNTRY_RULE}` });
    }
    return { code: "invalid_request", detail: "See errors for each rule.", violations };
  }

  function describe(body: unknown): Violation[] {
    const found = new Map<string, Violation>();
    for (const { path, schema: broken } of bodyCheck.Errors(body)) {
      // A missing field breaks several rules of one path; its description says them all.
      if (found.has(path)) continue;
      found.set(path, { pointer: `#${path}`, detail: `expected ${broken.description}` });
    }
    return [...found.values()];
  }

  return (request, answer) => {
    const isReadable = isJson(request.headers.get("content-type"));
    if (!isReadable) return Promise.resolve(UNSUPPORTED).then(answer);
    return request.json().then(
      (body: unknown) => answer(check(body, request.headers.get("x-country"))),
      () => answer(MALFORMED),
    );
  };
}

const UNSUPPORTED: ReadBid = {
  code: "unsupported_media_type",
  detail: "Send Content-Type: application/json.",
};
const MALFORMED: ReadBid = { code: "malformed_json", detail: "The body could not be parsed." };

const isJson = (contentType: string | null) =>
  contentType === "application/json" ||
  (contentType !== null && /^application\/json\s*(;.*)?$/i.test(contentType));
