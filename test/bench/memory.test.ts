import { expect, test } from "bun:test";
import { shareMib, slopePerMinute, summarizeMemory, watchMemory } from "../../bench/memory.ts";

const seconds = (length: number, mib: (second: number) => number) =>
  Array.from({ length }, (_, second) => ({ seconds: second, mib: mib(second) }));

test("growth in the first minute does not count", () => {
  const settling = seconds(600, (second) => 60 + Math.min(second, 60));
  expect(slopePerMinute(settling)).toBeCloseTo(0);
});

test("steady growth is told per minute", () => {
  expect(slopePerMinute(seconds(600, (second) => 60 + second / 30))).toBeCloseTo(2);
});

test("waves of garbage are no growth, however high they become", () => {
  const waves = (second: number) => 70 + ((second % 17) / 17) * (second / 20);
  expect(Math.abs(slopePerMinute(seconds(600, waves)))).toBeLessThan(0.1);
  expect(slopePerMinute(seconds(600, (second) => waves(second) + second / 60))).toBeCloseTo(1, 1);
});

test("of a short run the second half counts", () => {
  expect(slopePerMinute(seconds(21, (second) => (second < 10 ? 50 : 60 + second)))).toBeCloseTo(60);
});

test("the largest worker is the one with the highest median, whatever it ends with", () => {
  const steady = seconds(600, () => 110);
  const sawtooth = seconds(600, (second) => (second < 60 ? 500 : 90 + (second % 3) * 15));
  const { workerMib, curve } = summarizeMemory([steady, sawtooth]);
  expect(workerMib).toEqual({ median: 110, least: 110, most: 110 });
  expect(curve).toBe(steady);
  expect(summarizeMemory([sawtooth]).workerMib).toEqual({ median: 105, least: 90, most: 120 });
});

test("a single reading has no slope", () => {
  expect(slopePerMinute(seconds(1, () => 60))).toBe(0);
});

test.skipIf(process.platform !== "linux")(
  "a share of memory is no more than what is resident",
  () => {
    const { workerMib: share } = watchMemory([process.pid], shareMib).stop();
    const { workerMib: resident } = watchMemory([process.pid]).stop();
    expect(share.median).toBeGreaterThan(1);
    expect(share.median).toBeLessThanOrEqual(resident.median + 1);
  },
);
