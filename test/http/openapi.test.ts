import { describe, expect, test } from "bun:test";
import { describeApi } from "../../src/http/openapi.ts";
import { PROBLEMS, type ProblemCode } from "../../src/http/problem.ts";

// As it is sent: whatever JSON drops is not described.
const api = JSON.parse(JSON.stringify(describeApi("1.2.3", 4_321)));
type Operation = {
  responses: Record<string, { description: string }>;
  parameters?: { name: string }[];
};
const operationOf = (path: string, method: string): Operation => api.paths[path][method];

/** Every `$ref` anywhere inside. */
function refsOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" ? [inner as string] : refsOf(inner),
  );
}

describe("openapi", () => {
  test("is OpenAPI 3.1 with the version of the service, served from where it is", () => {
    expect(api).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
    expect(api.servers).toEqual([{ url: "/" }]);
  });

  test("describes every path that users call, with its method", () => {
    const operations = Object.entries(api.paths).map(([path, methods]) => [
      path,
      Object.keys(methods as object),
    ]);
    expect(operations).toEqual([
      ["/bid", ["post"]],
      ["/stat", ["get"]],
      ["/livez", ["get"]],
      ["/readyz", ["get"]],
    ]);
  });

  test("enumerates every problem code", () => {
    expect(api.components.schemas.Problem.properties.code.enum).toEqual(Object.keys(PROBLEMS));
  });

  test.each([
    ["/bid", "post", ["malformed_json", "unknown_supply", "no_eligible_bidders", "no_bids"]],
    ["/bid", "post", ["unsupported_media_type", "invalid_request"]],
    ["/bid", "post", ["rate_limited", "overloaded", "deadline", "shutting_down", "internal"]],
    ["/stat", "get", ["not_found", "internal", "stats_unavailable"]],
  ] as [string, string, ProblemCode[]][])("says when %s (%s) answers %j", (path, method, codes) => {
    const { responses } = operationOf(path, method);
    for (const code of codes) {
      const [status, title] = PROBLEMS[code];
      expect(responses[status]?.description).toContain(`\`${code}\`: ${title}`);
    }
  });

  test("says that a bid which is too large is answered without a body", () => {
    const { responses } = operationOf("/bid", "post");
    expect(responses[413]?.description).toContain("16 KiB");
    expect(responses[413]).not.toHaveProperty("content");
  });

  test("describes the bid by the schema that checks it", () => {
    const { requestBody } = api.paths["/bid"].post;
    expect(requestBody.content["application/json"].schema).toMatchObject({
      type: "object",
      required: ["supply_id"],
      properties: {
        supply_id: { type: "string", minLength: 1, maxLength: 64 },
        tmax: { type: "integer", minimum: 1, maximum: 4_321 },
      },
    });
    const names = operationOf("/bid", "post").parameters?.map(({ name }) => name);
    expect(names).toEqual(["X-Country", "explain", "X-Request-Id"]);
  });

  test("refers only to schemas that it has, and uses each of them", () => {
    const known = Object.keys(api.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...new Set(refsOf(api))].sort()).toEqual(known.sort());
  });
});
