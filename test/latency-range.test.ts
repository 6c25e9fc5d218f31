import { expect, test } from "bun:test";
import { parseLatencyRange } from "../src/latency-range.ts";

test("a range is its least and its most milliseconds", () => {
  expect(parseLatencyRange("10-40")).toEqual({ leastMs: 10, mostMs: 40 });
  expect(parseLatencyRange("0-0")).toEqual({ leastMs: 0, mostMs: 0 });
});
