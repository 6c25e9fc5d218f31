/** How long a simulated bidder takes, milliseconds. */
export interface LatencyRange {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** @param text  "min-max", in digits */
export function parseLatencyRange(text: string): LatencyRange {
  const [leastMs = 0, mostMs = 0] = text.split("-").map(Number);
  return { leastMs, mostMs };
}
