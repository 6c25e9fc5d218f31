import { createRandom, createSampler } from "./distribution.ts";
import {
  LATENCY_MS_MAX,
  type Misbehaviour,
  NO_BID_FORMS,
  type NoBidForm,
  PRICE_MAX,
  type Profile,
} from "./profile.ts";

/** What a stub does with one request. */
export interface Decision {
  readonly kind: "bid" | "no_bid" | Misbehaviour;
  /** Also of those that do not bid: a lie may need one. */
  readonly priceCents: number;
  readonly latencyMs: number;
  readonly noBidForm: NoBidForm;
}

/**
 * The sequence of what a bidder does: its n-th request gets the n-th decision, whatever the
 * request. The same id, profile and seed make the same sequence; each decision draws everything,
 * so that another probability leaves prices and latencies as they were.
 */
export function createDecisions(id: string, profile: Profile, seed: number): () => Decision {
  const random = createRandom(id, seed);
  const drawPrice = createSampler(profile.price, 100, PRICE_MAX * 100);
  const drawLatency = createSampler(profile.latency_ms, 1, LATENCY_MS_MAX);
  const misbehaviours = Object.entries(profile.misbehaviours) as [Misbehaviour, number][];

  function drawMisbehaviour(): Misbehaviour | undefined {
    let rest = random();
    for (const [kind, probability] of misbehaviours) {
      if (rest < probability) return kind;
      rest -= probability;
    }
    return undefined;
  }

  return () => {
    const misbehaviour = drawMisbehaviour();
    const isBid = random() < profile.bid_probability;
    const formDrawn = NO_BID_FORMS[Math.floor(random() * NO_BID_FORMS.length)]!;
    return {
      kind: misbehaviour ?? (isBid ? "bid" : "no_bid"),
      priceCents: drawPrice(random),
      latencyMs: drawLatency(random),
      noBidForm: profile.no_bid === "any" ? formDrawn : profile.no_bid,
    };
  };
}
