import { describe, expect, test } from "bun:test";
import { createDocs } from "../../src/http/docs.ts";

const docs = createDocs();
const textOf = (path: string) => docs.get(path)!().text();

describe("docs", () => {
  test("has a page and its files", () => {
    expect([...docs.keys()]).toEqual([
      "/docs",
      "/docs/start.js",
      "/docs/swagger-ui.css",
      "/docs/swagger-ui-bundle.js",
    ]);
  });

  test.each(["/docs", "/docs/start.js"])("%s names no other host", async (path) => {
    const text = await textOf(path);
    expect(text).not.toMatch(/https?:/i);
    expect(text).not.toMatch(/["'(=\s]\/\//);
  });

  test("loads only what it has itself", async () => {
    const page = await textOf("/docs");
    const loaded = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url!);
    expect(loaded).toContain("/docs/start.js");
    for (const url of loaded) expect(url === "data:," || docs.has(url)).toBe(true);
  });

  test("shows the description of this service, and asks nobody to judge it", async () => {
    const start = await textOf("/docs/start.js");
    expect(start).toContain('url: "/openapi.json"');
    expect(start).toContain("validatorUrl: null"); // Else Swagger UI asks validator.swagger.io.
  });

  test.each([
    ["/docs", "text/html"],
    ["/docs/start.js", "text/javascript"],
    ["/docs/swagger-ui.css", "text/css"],
    ["/docs/swagger-ui-bundle.js", "text/javascript"],
  ])("%s is %s, and may load nothing from elsewhere", async (path, type) => {
    const response = docs.get(path)!();
    expect(response.headers.get("content-type")).toBe(`${type}; charset=utf-8`);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const policy = response.headers.get("content-security-policy")!;
    expect(policy).toStartWith("default-src 'self';");
    expect(policy).not.toMatch(/https?:|\*/);
    expect((await response.text()).length).toBeGreaterThan(10);
  });

  test("is a new answer each time, so that every caller can read it", async () => {
    const [first, second] = [await textOf("/docs"), await textOf("/docs")];
    expect(first).toBe(second);
  });
});
