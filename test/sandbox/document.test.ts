import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { validateCatalog } from "../../src/catalog/document.ts";
import {
  loadSandboxFile,
  ordersOf,
  validateSandbox,
  withEndpoints,
} from "../../src/sandbox/document.ts";
import { createFolder } from "../support/folder.ts";

const GOOD = {
  catalog: {
    supplies: { s1: ["b1", "b2"] },
    bidders: { b1: { country: "US", seat: "agency" }, b2: { country: "US" } },
  },
  profiles: { b1: {} },
};

function problemsOf(input: unknown): readonly string[] {
  try {
    validateSandbox(input);
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

const withProfile = (profile: unknown) => ({ ...GOOD, profiles: { b1: profile } });

describe("a good file", () => {
  test("need say nothing of a bidder: it bids a dollar at once, each time", () => {
    expect(validateSandbox(GOOD)).toEqual({
      ...GOOD,
      seed: 1,
      profiles: {
        b1: {
          bid_probability: 1,
          price: 1,
          latency_ms: 0,
          no_bid: "no_content",
          gzip: false,
          misbehaviours: {},
        },
      },
    });
  });

  test("keeps what it says, and is itself not changed", () => {
    const written = { price: { median: 1, p99: 2 }, misbehaviours: { hang: 0.5, reset: 0.5 } };
    const input = withProfile(written);
    const copy = structuredClone(input);
    expect(validateSandbox(input).profiles.b1).toMatchObject(written);
    expect(input).toEqual(copy);
  });

  test("may misbehave in tenths that make one", () => {
    const kinds = ["hang", "drip", "reset", "redirect", "two_bids"];
    const misbehaviours = Object.fromEntries(kinds.map((kind) => [kind, 0.2]));
    expect(problemsOf(withProfile({ misbehaviours }))).toEqual([]);
  });
});

describe("a bad file", () => {
  test.each([
    ["#", 7],
    ["#/profiles", { ...GOOD, profiles: {} }],
    ["#/profiles", { ...GOOD, profiles: undefined }],
    ["#/seed", { ...GOOD, seed: -1 }],
    ["#/seeds", { ...GOOD, seeds: 1 }],
    ["#/profiles/b1/price", withProfile({ price: 0 })],
    ["#/profiles/b1/price", withProfile({ price: { min: 2, max: 1 } })],
    ["#/profiles/b1/price", withProfile({ price: { min: 2 } })],
    ["#/profiles/b1/price", withProfile({ price: { median: 0, p99: 1 } })],
    ["#/profiles/b1/latency_ms", withProfile({ latency_ms: 60_001 })],
    ["#/profiles/b1/latency_ms", withProfile({ latency_ms: { median: 2, p99: 1 } })],
    ["#/profiles/b1/bid_probability", withProfile({ bid_probability: 1.1 })],
    ["#/profiles/b1/no_bid", withProfile({ no_bid: "never" })],
    ["#/profiles/b1/latency", withProfile({ latency: 5 })],
    ["#/profiles/b1/misbehaviours/hangs", withProfile({ misbehaviours: { hangs: 1 } })],
    ["#/profiles/b1/misbehaviours/hang", withProfile({ misbehaviours: { hang: 2 } })],
    ["#/profiles/b1/misbehaviours", withProfile({ misbehaviours: { hang: 0.6, drip: 0.6 } })],
    ["#/profiles/b3", { ...GOOD, profiles: { b3: {} } }],
    ["#/profiles/toString", { ...GOOD, profiles: { toString: {} } }],
    ["#/catalog", { ...GOOD, catalog: undefined }],
    ["#/catalog/supplies/s1/0", { ...GOOD, catalog: { ...GOOD.catalog, supplies: { s1: ["x"] } } }],
  ])("is refused at %s: %j", (pointer, input) => {
    const problems = problemsOf(input);
    expect(problems.map((problem) => problem.split(": ")[0])).toEqual([pointer]);
  });

  test("names all its problems at once, twenty at most", () => {
    const profiles = { b1: { price: 0, gzip: 1 }, b2: { no_bid: 3 } };
    expect(problemsOf({ ...GOOD, profiles })).toHaveLength(3);
    const ids = Array.from({ length: 30 }, (_, i) => `x${i}`);
    const strangers = Object.fromEntries(ids.map((id) => [id, {}]));
    expect(problemsOf({ ...GOOD, profiles: strangers })).toHaveLength(20);
  });

  test("plays at most 64 bidders", () => {
    const ids = (count: number) => Array.from({ length: count }, (_, i) => `b${i}`);
    const file = (count: number) => ({
      catalog: {
        supplies: { s1: [] },
        bidders: Object.fromEntries(ids(count).map((id) => [id, { country: "US" }])),
      },
      profiles: Object.fromEntries(ids(count).map((id) => [id, {}])),
    });
    expect(problemsOf(file(64))).toEqual([]);
    expect(problemsOf(file(65))).toHaveLength(1);
  });

  test("gives no endpoint to a bidder that it plays", () => {
    const b1 = { country: "US", endpoint: "http://bidder.example/" };
    const catalog = { ...GOOD.catalog, bidders: { ...GOOD.catalog.bidders, b1 } };
    expect(problemsOf({ ...GOOD, catalog })).toEqual([
      expect.stringContaining("#/catalog/bidders/b1/endpoint: "),
    ]);
    expect(problemsOf({ ...GOOD, catalog, profiles: { b2: {} } })).toEqual([]);
  });
});

describe("a file on disk", () => {
  test("is read and validated", async () => {
    using folder = createFolder();
    const path = folder.path("sandbox.json");
    writeFileSync(path, JSON.stringify(GOOD));
    expect(await loadSandboxFile(path)).toEqual(validateSandbox(GOOD));
  });

  test("that is away or not JSON is named", async () => {
    using folder = createFolder();
    const path = folder.path("sandbox.json");
    expect(loadSandboxFile(path)).rejects.toThrow(path);
    writeFileSync(path, "{");
    expect(loadSandboxFile(path)).rejects.toThrow(path);
  });

  test("data/sandbox.json is good", async () => {
    const { profiles, catalog } = await loadSandboxFile("data/sandbox.json");
    expect(Object.keys(profiles)).toHaveLength(8);
    expect(Object.keys(catalog.supplies)).toHaveLength(4);
  });
});

test("who is played has the seat of its catalog entry, else its own id", () => {
  const document = validateSandbox({ ...GOOD, profiles: { b1: {}, b2: {} } });
  const orders = ordersOf(document, 9);
  expect(orders.map(({ id, seat, seed }) => [id, seat, seed])).toEqual([
    ["b1", "agency", 9],
    ["b2", "b2", 9],
  ]);
});

test("a catalog with endpoints is a good catalog, and names them for those that are played", () => {
  const { catalog } = validateSandbox(GOOD);
  const written = withEndpoints(catalog, new Map([["b1", "http://127.0.0.1:4000/bid"]]));
  expect(validateCatalog(written, { allowPrivate: true })).toEqual({
    supplies: { s1: ["b1", "b2"] },
    bidders: {
      b1: { country: "US", seat: "agency", endpoint: "http://127.0.0.1:4000/bid" },
      b2: { country: "US" },
    },
  });
});
