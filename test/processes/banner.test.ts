import { expect, test } from "bun:test";
import type { CatalogDocument } from "../../src/catalog/document.ts";
import { formatSnapshot } from "../../src/catalog/snapshot-file.ts";
import { loadConfig, type RawSettings } from "../../src/config.ts";
import { writeBanner } from "../../src/processes/banner.ts";

const CATALOG: CatalogDocument = { supplies: { s: ["b"] }, bidders: { b: { country: "GB" } } };

const FACTS = { source: "data/catalog.json", version: 1, takenAtMs: 0 };

const bannerOf = (
  settings: RawSettings = {},
  document = CATALOG,
  isStoreReady = true,
  catalogFault: string | undefined = undefined,
) =>
  writeBanner({
    version: "9.9.9",
    config: loadConfig(settings),
    port: 4321,
    pids: [11, 12],
    catalog: formatSnapshot(document, FACTS).header,
    catalogFault,
    isStoreReady,
  });

/** The curl of a banner, run by a shell with `echo` in place of curl: a line per argument. */
function argumentsOfCurl(banner: string): string[] {
  const command = banner.slice(banner.indexOf("curl")).replace(/^curl/, "printf '%s\\n'");
  const { stdout } = Bun.spawnSync(["sh", "-c", command]);
  return stdout.toString().trimEnd().split("\n");
}

test("names version, address, workers, store, catalog and limiter", () => {
  const banner = bannerOf();
  for (const fact of [
    "9.9.9",
    "http://localhost:4321",
    "2 (pid 11, 12)",
    "one host only",
    "1 supplies, 1 bidders",
    "3 bids in 60 s",
  ]) {
    expect(banner).toContain(fact);
  }
});

test("has a curl whose arguments a shell takes as they are meant", () => {
  expect(argumentsOfCurl(bannerOf())).toEqual([
    "-X",
    "POST",
    "http://localhost:4321/bid",
    "-H",
    "Content-Type: application/json",
    "-H",
    "X-Country: GB",
    "-d",
    '{"supply_id": "s"}',
  ]);
});

test("shows a supply that has a bidder, whatever its id holds", () => {
  const id = `it's"$(a)`;
  const document = { supplies: { empty: [], [id]: ["b"] }, bidders: CATALOG.bidders };
  const body = argumentsOfCurl(bannerOf({}, document)).at(-1)!;
  expect(JSON.parse(body)).toEqual({ supply_id: id });
});

test("writes an address of version 6 as a URL has it", () => {
  expect(bannerOf({ HOST: "::1" })).toContain("http://[::1]:4321");
  expect(bannerOf({ HOST: "::" })).toContain("http://localhost:4321");
});

test("masks the password of a Redis, and says when it is away", () => {
  const banner = bannerOf({ REDIS_URL: "redis://me:secret@r:1" }, CATALOG, false);
  expect(banner).toContain("redis://me:***@r:1");
  expect(banner).toContain("NOT REACHABLE");
  expect(banner).not.toContain("secret");
});

test("says that the catalog is an old one", () => {
  const banner = bannerOf({}, CATALOG, true, "35 s old: it cannot be read, see the log");
  expect(banner).toContain("data/catalog.json: 1 supplies, 1 bidders, 35 S OLD: IT CANNOT BE READ");
});

test("says that the limiter is off", () => {
  expect(bannerOf({ RATE_LIMIT_MAX_REQUESTS: "0" })).toContain("limiter   off");
});
