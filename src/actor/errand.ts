export interface ErrandOptions {
  /** Rejects where it has to be run again. */
  run: () => Promise<void>;
  /** From when on it is let be, done or not. */
  isOver: () => boolean;
  /** Between a run that failed and the next one. */
  waitMs: number;
  wait?: (ms: number) => Promise<void>;
}

/**
 * A job that is run until it succeeds, one run at a time for all who ask. A call that comes during
 * a run has it run once more, because it may already have passed what the caller wants seen.
 */
export function createErrand(options: ErrandOptions): () => void {
  const { run, isOver, waitMs, wait = Bun.sleep } = options;
  let isDue = false;
  let isUnderWay = false;

  async function runUntilDone(): Promise<void> {
    isUnderWay = true;
    while (isDue && !isOver()) {
      isDue = false;
      try {
        await run();
      } catch {
        isDue = true;
        await wait(waitMs);
      }
    }
    isUnderWay = false;
  }

  return () => {
    isDue = true;
    if (!isUnderWay) void runUntilDone();
  };
}
