/** A clock that moves only when told to, and the timers that hang on it. */
export interface SimulatedClock {
  now(): number;
  wait(ms: number): Promise<void>;
  /** @returns what ends the repetition */
  every(ms: number, run: () => void): () => void;
  /** Moves on, firing in order of time what becomes due. */
  advance(ms: number): Promise<void>;
}

interface Timer {
  atMs: number;
  fire: () => void;
}

/** Promise chains of the code under test are shorter than this. */
const TURNS = 40;

/** Lets everything that waits on settled promises run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await null;
}

export function createSimulatedClock(): SimulatedClock {
  let nowMs = 0;
  let timers: Timer[] = [];

  function every(ms: number, run: () => void): () => void {
    let isEnded = false;
    const fire = () => {
      if (isEnded) return;
      run();
      timers.push({ atMs: nowMs + ms, fire });
    };
    timers.push({ atMs: nowMs + ms, fire });
    return () => {
      isEnded = true;
    };
  }

  async function advance(ms: number): Promise<void> {
    const untilMs = nowMs + ms;
    for (;;) {
      const due = timers.filter((timer) => timer.atMs <= untilMs);
      const next = due.reduce<Timer | undefined>(
        (a, b) => (a && a.atMs <= b.atMs ? a : b),
        undefined,
      );
      if (!next) break;
      timers = timers.filter((timer) => timer !== next);
      nowMs = Math.max(nowMs, next.atMs);
      next.fire();
      await settle();
    }
    nowMs = untilMs;
  }

  const wait = (ms: number) =>
    new Promise<void>((resolve) => void timers.push({ atMs: nowMs + ms, fire: resolve }));

  return { now: () => nowMs, wait, every, advance };
}
