import { type Repeat, repeat } from "../actor/repeat.ts";

/** A bound on how long answers may take, without a timer for each. */
export interface Deadlines {
  /** From now on the answer has the budget, and expires when it is over. */
  enter(answer: Guarded): void;
  stop(): void;
}

/**
 * One that is waited for, between the one that began before it and the one that began after. A
 * class, to be extended by what has to be kept of the request: nothing more is made for each.
 */
export abstract class Guarded {
  expiresAtMs = Number.POSITIVE_INFINITY;
  before: Guarded = this;
  after: Guarded = this;

  /** The budget is over. Called at most once, not where it has left before, and may not throw. */
  abstract expire(): void;

  /** Is waited for no more. Once more does no harm: one that has left stands between itself. */
  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}

/** Both ends of the list: one that never expires. */
class Ends extends Guarded {
  override expire(): void {}
}

/** How often is looked, and so how late an expiry may be. */
const EVERY_MS = 50;

/**
 * @param budgetMs  the same for every answer, so that those that began first expire first
 */
export function createDeadlines(
  budgetMs: number,
  now: () => number = () => performance.now(),
  every: Repeat = repeat,
): Deadlines {
  // Who is answered leaves it at once: it holds the whole request in memory.
  const ends = new Ends();
  const stop = every(EVERY_MS, sweep);

  function sweep(): void {
    const nowMs = now();
    while (ends.after.expiresAtMs <= nowMs) {
      const { after: expired } = ends;
      expired.leave();
      expired.expire();
    }
  }

  function enter(answer: Guarded): void {
    answer.expiresAtMs = now() + budgetMs;
    answer.before = ends.before;
    answer.after = ends;
    ends.before.after = answer;
    ends.before = answer;
  }

  return { enter, stop };
}
