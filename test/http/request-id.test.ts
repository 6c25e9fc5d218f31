import { describe, expect, test } from "bun:test";
import { createRequestIds } from "../../src/http/request-id.ts";

const requestWith = (id?: string) =>
  new Request("http://x/bid", { headers: id === undefined ? {} : { "x-request-id": id } });

describe("request id", () => {
  test.each(["a", "0", "A-Z.a_z-09", "x".repeat(64)])("accepts the caller's %p", (id) => {
    expect(createRequestIds("p")(requestWith(id))).toBe(id);
  });

  test.each([
    "",
    "x".repeat(65),
    "two words",
    "a,b",
    'quote"',
    "<script>",
    "tilde~",
    "ünï",
    "a/b",
    "semi;colon",
  ])("makes its own instead of %p", (id) => {
    expect(createRequestIds("p")(requestWith(id))).toStartWith("p-");
  });

  test("makes its own instead of two that were sent", () => {
    const request = requestWith("a");
    request.headers.append("x-request-id", "b");
    expect(createRequestIds("p")(request)).toStartWith("p-");
  });

  test("makes ids that are unique in the process and would be accepted themselves", () => {
    const idOf = createRequestIds("lx3f9a2b-1-4");
    const ids = Array.from({ length: 1_000 }, () => idOf(requestWith()));
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(createRequestIds("other")(requestWith(id))).toBe(id);
  });

  test("spends no id of its own on a caller that brings one", () => {
    const idOf = createRequestIds("p");
    const first = idOf(requestWith());
    idOf(requestWith("mine"));
    expect([first, idOf(requestWith())]).toEqual(["p-1", "p-2"]);
  });
});
