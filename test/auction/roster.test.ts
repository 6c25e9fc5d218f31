import { expect, test } from "bun:test";
import type { Bidder } from "../../src/auction/bidder.ts";
import { createRoster } from "../../src/auction/roster.ts";

const first = { supplies: { s: ["a"] }, bidders: { a: { country: "US" } } };
const second = { supplies: { s: ["b"] }, bidders: { b: { country: "GB" } } };
const bidder = ({ id }: { readonly id: string }): Bidder => ({
  id,
  isAwaited: true,
  bid: () => ({ kind: "noBid" }),
});

test("holds the snapshot that was swapped in last", () => {
  const roster = createRoster(first, 1, bidder);
  roster.swap(second, 2);
  expect(roster.catalog().version).toBe(2);
  expect(roster.catalog().supplies.get("s")!.bidders[0]!.id).toBe("b");
});

test("has the bidders of an earlier snapshot for auctions that began on it", () => {
  const roster = createRoster(first, 1, bidder);
  const entry = roster.catalog().supplies.get("s")!.bidders[0]!;
  roster.swap(second, 2);
  expect(roster.bidderOf(entry).id).toBe("a");
});

test("makes each bidder once for a snapshot", () => {
  let made = 0;
  const roster = createRoster(first, 1, (entry) => {
    made++;
    return bidder(entry);
  });
  const entry = roster.catalog().supplies.get("s")!.bidders[0]!;
  expect(roster.bidderOf(entry)).toBe(roster.bidderOf(entry));
  expect(made).toBe(1);
});
