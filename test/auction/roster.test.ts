import { describe, expect, test } from "bun:test";
import type { Bidder } from "../../src/auction/bidder.ts";
import { createRoster } from "../../src/auction/roster.ts";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import type { BidderDocument } from "../../src/catalog/document.ts";

const first = buildCatalog({ supplies: { s: ["a"] }, bidders: { a: { country: "US" } } }, 1);
const second = buildCatalog({ supplies: { s: ["b"] }, bidders: { b: { country: "GB" } } }, 2);
const bidder = ({ id }: { readonly id: string }): Bidder => ({
  id,
  isAwaited: true,
  bid: () => ({ kind: "noBid" }),
});

test("holds the snapshot that was swapped in last", () => {
  const roster = createRoster(first, bidder);
  roster.swap(second);
  expect(roster.catalog().version).toBe(2);
  expect(roster.catalog().supplies.get("s")!.bidders[0]!.id).toBe("b");
});

test("has the bidders of an earlier snapshot for auctions that began on it", () => {
  const roster = createRoster(first, bidder);
  const entry = roster.catalog().supplies.get("s")!.bidders[0]!;
  roster.swap(second);
  expect(roster.bidderOf(entry).id).toBe("a");
});

test("makes each bidder once for a snapshot", () => {
  let made = 0;
  const roster = createRoster(first, (entry) => {
    made++;
    return bidder(entry);
  });
  const entry = roster.catalog().supplies.get("s")!.bidders[0]!;
  expect(roster.bidderOf(entry)).toBe(roster.bidderOf(entry));
  expect(made).toBe(1);
});

describe("a bidder that has been asked", () => {
  const endpoint = "http://bidder.test/";
  const catalogOf = (bidders: Record<string, BidderDocument>, version: number) =>
    buildCatalog({ supplies: { s: Object.keys(bidders) }, bidders }, version);

  /** A roster whose bidders tell when they are retired. */
  function watchedRoster(settings: Record<string, BidderDocument>) {
    const made: string[] = [];
    const retired: string[] = [];
    const roster = createRoster(catalogOf(settings, 1), ({ id }) => {
      const name = `${id}${made.length}`;
      made.push(name);
      return {
        id: name,
        isAwaited: true,
        bid: () => ({ kind: "noBid" }),
        trouble: () => (id === "sick" ? "breaker open" : undefined),
        retire: () => void retired.push(name),
      };
    });
    const entryOf = (id: string) => roster.catalog().bidders.get(id)!;
    return {
      ...roster,
      made,
      retired,
      entryOf,
      askFor: (id: string) => roster.bidderOf(entryOf(id)).id,
      swapTo: (next: Record<string, BidderDocument>) => roster.swap(catalogOf(next, 2)),
    };
  }

  test("stays the same over a swap that leaves its settings as they are", () => {
    const roster = watchedRoster({ a: { country: "US", endpoint }, b: { country: "US" } });
    expect(roster.askFor("a")).toBe("a0");
    for (let i = 0; i < 3; i++) {
      roster.swapTo({ a: { country: "US", endpoint } });
      expect(roster.askFor("a")).toBe("a0");
    }
    expect(roster.retired).toEqual([]);
  });

  test("is retired when its settings change or it leaves, and only then replaced", () => {
    const roster = watchedRoster({ a: { country: "US" }, b: { country: "US" } });
    roster.askFor("a");
    roster.askFor("b");
    roster.swapTo({ a: { country: "US", timeout_ms: 5 } });
    expect(roster.retired).toEqual(["a0", "b1"]);
    expect(roster.made).toEqual(["a0", "b1"]);
    expect(roster.askFor("a")).toBe("a2");
  });

  test("serves auctions of both snapshots during a swap", () => {
    const roster = watchedRoster({ a: { country: "US" } });
    const old = roster.entryOf("a");
    roster.swapTo({ a: { country: "US" } });
    expect(roster.bidderOf(old)).toBe(roster.bidderOf(roster.entryOf("a")));
    roster.swapTo({});
    expect(roster.bidderOf(old).id).toBe("a0");
    expect(roster.made.length).toBe(1);
  });

  test("is retired at once when its catalog had gone before it was first asked", () => {
    const roster = watchedRoster({ a: { country: "US" } });
    const old = roster.entryOf("a");
    roster.swapTo({ a: { country: "GB" } });
    expect(roster.bidderOf(old).id).toBe("a0");
    expect(roster.retired).toEqual(["a0"]);
    expect(roster.askFor("a")).toBe("a1");
    expect(roster.bidderOf(old).id).toBe("a0");
  });

  test("shows what keeps it from being asked", () => {
    const roster = watchedRoster({ well: { country: "US" }, sick: { country: "US" } });
    expect(roster.troubles()).toEqual([]);
    roster.askFor("well");
    roster.askFor("sick");
    expect(roster.troubles()).toEqual([{ bidderId: "sick", cause: "breaker open" }]);
    roster.swapTo({ well: { country: "US" } });
    expect(roster.troubles()).toEqual([]);
  });
});
