import { CircuitState, CountBreaker, circuitBreaker, handleWhenResult } from "cockatiel";

/** Opens when more than half of the last 20 calls failed, and at least 5 were made. */
const LAST_CALLS = { size: 20, minimumNumberOfCalls: 5, threshold: 0.5 };
/** How long nobody is asked before one call tries again. */
const OPEN_MS = 1_000;

/** How a call went. `neutral`: it says nothing about the bidder. */
export type Verdict = "good" | "failed" | "neutral";

/** A call that the breaker has let through. */
export interface Permit {
  /** @param reason  of a failure, for people */
  report(verdict: Verdict, reason?: string): void;
}

export interface BreakerOptions {
  /** Told at each change: what keeps the bidder from being asked, undefined when nothing does. */
  onChange: (trouble: string | undefined) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
}

/** Keeps calls from a bidder that fails. Every permit must be reported on, once. */
export interface Breaker {
  /** A call may be made; undefined while the breaker is open. */
  permit(): Permit | undefined;
  trouble(): string | undefined;
}

/**
 * A circuit breaker: closed, open, and half open while a single call tries whether the bidder is
 * back. The verdicts decide; a trial that says nothing leaves the trying to the next call.
 */
export function createBreaker({
  onChange,
  now = () => performance.now(),
}: BreakerOptions): Breaker {
  const policy = circuitBreaker(
    handleWhenResult((verdict) => verdict === "failed"),
    {
      breaker: new CountBreaker(LAST_CALLS),
      // When to try is decided here, by a clock that nobody sets: the library reads the wall clock.
      halfOpenAfter: Number.NEGATIVE_INFINITY,
    },
  );
  let openedAtMs = 0;
  let lastFailure = "";
  let isOpen = false;
  let isTrying = false;
  policy.onBreak(() => {
    openedAtMs = now();
    const isNews = !isOpen; // A trial that failed opens it again.
    isOpen = true;
    if (isNews) onChange(trouble());
  });
  policy.onReset(() => {
    isOpen = false;
    onChange(undefined);
  });

  function permit(): Permit | undefined {
    if (policy.state === CircuitState.Closed) return CLOSED_PERMIT;
    if (isTrying || now() - openedAtMs < OPEN_MS) return undefined;
    isTrying = true;
    return {
      report(verdict, reason) {
        isTrying = false;
        if (verdict !== "neutral") decide(verdict, reason);
      },
    };
  }

  /** Calls that began before it opened tell nothing new when they end. */
  const CLOSED_PERMIT: Permit = {
    report(verdict, reason) {
      if (verdict !== "neutral" && policy.state === CircuitState.Closed) decide(verdict, reason);
    },
  };

  function decide(verdict: Verdict, reason = ""): void {
    if (verdict === "failed") lastFailure = reason;
    void policy.execute(() => verdict);
  }

  function trouble(): string | undefined {
    if (!isOpen) return undefined;
    return `breaker ${isTrying ? "half open" : "open"}, last failure: ${lastFailure}`;
  }

  return { permit, trouble };
}
