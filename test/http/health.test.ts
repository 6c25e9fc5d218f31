import { describe, expect, test } from "bun:test";
import { type Check, createLiveRoute, createReadyRoute } from "../../src/http/health.ts";

const request = new Request("http://x/readyz");
const requestIdOf = () => "id-1";
const ok: Check = { status: "ok", detail: "yes" };
const degraded: Check = { status: "degraded", detail: "fallback" };
const failed: Check = { status: "failed", detail: "no" };

const HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-request-id": "id-1",
};

/** The readiness that these checks make, with its status. */
async function readiness(checks: Record<string, () => Check | Promise<Check>>) {
  const response = await createReadyRoute({ requestIdOf, checks })(request);
  return {
    code: response.status,
    headers: Object.fromEntries(response.headers),
    body: (await response.json()) as { status: string; checks: Record<string, Check> },
  };
}

test("liveness asks nothing and says ok", async () => {
  const response = createLiveRoute(requestIdOf)(request);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toEqual(HEADERS);
  expect(await response.json()).toEqual({ status: "ok" });
});

describe("readiness", () => {
  test("is given when every check is ok, with an entry for each", async () => {
    expect(await readiness({ catalog: () => ok, store: async () => ok })).toEqual({
      code: 200,
      headers: HEADERS,
      body: { status: "ok", checks: { catalog: ok, store: ok } },
    });
  });

  test("is given with a documented fallback in force, and says so", async () => {
    const { code, body } = await readiness({ catalog: () => ok, store: () => degraded });
    expect([code, body.status]).toEqual([200, "degraded"]);
  });

  test("is not given when one check fails, whatever the others say", async () => {
    const { code, headers, body } = await readiness({ a: () => degraded, b: () => failed });
    expect([code, body.status]).toEqual([503, "unavailable"]);
    expect(body.checks).toEqual({ a: degraded, b: failed });
    expect(headers).toEqual({ ...HEADERS, "retry-after": "1" });
  });

  test("takes a check that throws, rejects or never answers for failed, without its cause", async () => {
    const { code, body } = await readiness({
      throws() {
        throw new Error("redis://user:secret@host");
      },
      rejects: () => Promise.reject(new Error("redis://user:secret@host")),
      hangs: () => new Promise<never>(() => {}),
      fine: () => ok,
    });
    const silent: Check = { status: "failed", detail: "no answer" };
    expect(code).toBe(503);
    expect(body.checks).toEqual({ throws: silent, rejects: silent, hangs: silent, fine: ok });
  });

  test("asks anew each time", async () => {
    let isUp = false;
    const route = createReadyRoute({ requestIdOf, checks: { store: () => (isUp ? ok : failed) } });
    expect((await route(request)).status).toBe(503);
    isUp = true;
    expect((await route(request)).status).toBe(200);
  });
});
