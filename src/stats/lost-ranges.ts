/** What was told as lost of each supply, so that it is told once, however often it is lost. */
export interface LostRanges {
  /** @returns how many ordinals of (from, to], which goes up to what is kept, were not told yet */
  add(supplyId: string, from: number, to: number): number;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

export function createLostRanges(): LostRanges {
  /** Ranges (from, to] that do not overlap. */
  const lost = new Map<string, readonly Range[]>();

  function add(supplyId: string, from: number, to: number): number {
    const earlier = lost.get(supplyId) ?? [];
    // None of them ends behind this one.
    const before = earlier
      .filter((range) => range.from < from)
      .map((range) => ({ from: range.from, to: Math.min(range.to, from) }));
    const ranges = [...before, { from, to }];
    lost.set(supplyId, ranges);
    return sumOf(ranges) - sumOf(earlier);
  }

  return { add };
}

const sumOf = (ranges: readonly Range[]) =>
  ranges.reduce((sum, { from, to }) => sum + to - from, 0);
