/** Whether another process still speaks. */
export interface Pulse {
  /** It has said something. */
  beat(): void;
  /** Looks once. @returns false when it said nothing for more than `silentChecks` checks */
  check(silentChecks: number): boolean;
}

/**
 * Counts checks and no time: while the one who checks is busy, what was said waits in the channel,
 * and each of its turns brings some of it in.
 */
export function createPulse(): Pulse {
  let silent = 0;
  return {
    beat() {
      silent = 0;
    },
    check: (silentChecks) => ++silent <= silentChecks,
  };
}
