import { bidBodySchema, CountrySchema } from "./bid-request.ts";
import { PROBLEMS, type ProblemCode } from "./problem.ts";

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const problems = (...codes: ProblemCode[]) => {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const status = PROBLEMS[code][0];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join("; "),
        content: { "application/problem+json": { schema: ref("Problem") } },
      },
    ]),
  );
};
const answer = (description: string, schema: object, headers?: object) => ({
  description,
  ...(headers && { headers }),
  content: { "application/json": { schema } },
});
const header = (description: string, example: string) => ({
  description,
  schema: { type: "string" },
  example,
});
const parameter = (place: string, name: string, schema: object, description: string) => ({
  in: place,
  name,
  required: place === "header" && name === "X-Country",
  schema,
  description,
});
const requestId = parameter(
  "header",
  "X-Request-Id",
  { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$" },
  "Returned on the answer; made when missing.",
);
const count = { type: "integer", minimum: 0 };

const orNull = (type: string, description: string) => ({ type: [type, "null"], description });
const EXPLANATION = {
  type: "object",
  description: "Why an auction ended as it did; only where `?explain=1` asked for it",
  properties: {
    auction_id: { type: "string" },
    catalog_version: { type: "integer" },
    auction: { enum: ["first_price", "second_price"] },
    floor: { type: "number", description: "CPM; 0: none" },
    tmax_ms: { type: "integer" },
    elapsed_ms: { type: "number", description: "From the arrival of the bid to the decision" },
    bidders: {
      type: "array",
      description: "Each bidder of the supply, in catalog order",
      items: {
        type: "object",
        properties: {
          bidder: { type: "string" },
          state: {
            enum: ["won", "lost", "no_bid", "timeout", "error", "invalid", "not_asked"],
          },
          code: orNull("integer", "OpenRTB loss reason; of a no-bid its `nbr`"),
          price: orNull("number", "CPM"),
          latency_ms: orNull("number", "Until the answer came"),
          reason: { type: "string" },
        },
      },
    },
  },
};

/** The outside interface as OpenAPI 3.1, from the schemas that check the requests. */
export function describeApi(version: string, tmaxMax: number) {
  return {
    openapi: "3.1.0",
    info: {
      title: "Ad exchange",
      version,
      description: "Holds real-time auctions for publishers' inventory and says what happened.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    paths: {
      "/bid": {
        post: {
          summary: "Hold one auction",
          operationId: "bid",
          parameters: [
            parameter("header", "X-Country", CountrySchema, "The user's country, any case."),
            parameter("query", "explain", { const: "1" }, "Say why, where EXPLAIN allows it."),
            requestId,
          ],
          requestBody: {
            required: true,
            content: {
              "application/json": {
                schema: bidBodySchema(tmaxMax),
                example: { supply_id: "supply1", tmax: 100 },
              },
            },
          },
          responses: {
            200: answer("The winner and what it pays", ref("Winner"), {
              "RateLimit-Policy": header("Quota and window in seconds", '"ip";q=3;w=60'),
              RateLimit: header("Bids left, seconds until there are more", '"ip";r=2;t=60'),
            }),
            ...problems(
              "malformed_json",
              "unknown_supply",
              "no_eligible_bidders",
              "no_bids",
              "unsupported_media_type",
              "invalid_request",
              "rate_limited",
              "internal",
              "overloaded",
              "deadline",
              "shutting_down",
            ),
            413: { description: "The body is beyond 16 KiB; this answer has none." },
          },
        },
      },
      "/stat": {
        get: {
          summary: "What happened, per supply",
          description:
            "An auction that was answered before this request was sent is in the answer.",
          operationId: "stat",
          parameters: [
            parameter("query", "supply", { type: "string" }, "Only this supply."),
            parameter("header", "If-None-Match", { type: "string" }, "An ETag: 304 if unchanged."),
            requestId,
          ],
          responses: {
            200: answer("Counters by supply", {
              type: "object",
              additionalProperties: ref("SupplyStatistics"),
            }),
            304: { description: "Nothing changed" },
            ...problems("not_found", "internal", "stats_unavailable"),
          },
        },
      },
      "/livez": {
        get: {
          summary: "Whether the process runs",
          operationId: "livez",
          responses: { 200: answer("It does", { type: "object" }) },
        },
      },
      "/readyz": {
        get: {
          summary: "Whether auctions can be held",
          operationId: "readyz",
          responses: {
            200: answer("They can", ref("Readiness")),
            503: answer("They cannot", ref("Readiness")),
          },
        },
      },
    },
    components: {
      schemas: {
        Winner: {
          type: "object",
          required: ["winner", "price"],
          properties: {
            winner: { type: "string", examples: ["bidder1"] },
            price: { type: "number", description: "At most 2 decimals", examples: [0.42] },
            explain: ref("Explanation"),
          },
        },
        Explanation: EXPLANATION,
        SupplyStatistics: {
          type: "object",
          required: ["total_reqs", "reqs_per_country", "bidders"],
          properties: {
            total_reqs: { ...count, description: "Auctions held, won or not" },
            reqs_per_country: { type: "object", additionalProperties: count },
            bidders: { type: "object", additionalProperties: ref("BidderStatistics") },
          },
        },
        BidderStatistics: {
          type: "object",
          required: ["wins", "total_revenue", "no_bids", "timeouts", "errors", "invalid", "bids"],
          properties: {
            wins: count,
            total_revenue: { type: "number", description: "Exact decimal" },
            no_bids: count,
            timeouts: count,
            errors: { ...count, description: "Transport or status" },
            invalid: { ...count, description: "Answers that break a rule" },
            bids: { ...count, description: "Valid bids, won or lost" },
          },
        },
        Readiness: {
          type: "object",
          required: ["status", "checks"],
          properties: {
            status: { enum: ["ok", "degraded", "unavailable"] },
            checks: {
              type: "object",
              additionalProperties: {
                type: "object",
                properties: {
                  status: { enum: ["ok", "degraded", "failed"] },
                  detail: { type: "string" },
                },
              },
            },
          },
        },
        Problem: {
          type: "object",
          description: "RFC 9457",
          required: ["type", "title", "status", "detail", "code", "request_id"],
          properties: {
            type: { type: "string" },
            title: { type: "string" },
            status: { type: "integer" },
            detail: { type: "string" },
            code: { enum: Object.keys(PROBLEMS) },
            request_id: { type: "string" },
            explain: ref("Explanation"),
            errors: {
              type: "array",
              items: {
                type: "object",
                properties: { pointer: { type: "string" }, detail: { type: "string" } },
              },
            },
          },
        },
      },
    },
  };
}
