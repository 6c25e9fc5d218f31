import { BidderState } from "../stats/outcome.ts";
import { formatMicros } from "../stats/report.ts";
import type { HeldAuction } from "./auctioneer.ts";
import { lowestWinning, minToWin } from "./clearing.ts";
import { LossCode } from "./loss-code.ts";

/** The one state in which a bidder of the supply ends. */
type BidderEnd = "won" | "lost" | "no_bid" | "timeout" | "error" | "invalid" | "not_asked";

/** Why a bidder of the supply won, lost or took no part. */
export interface BidderExplanation {
  readonly bidderId: string;
  readonly state: BidderEnd;
  /** Loss reason of OpenRTB (0 won, 100 below floor, 102 outbid…); of a no-bid its `nbr`. */
  readonly code: number | null;
  /** What it bid; null where it did not. */
  readonly priceMicros: number | null;
  /** Until its answer came, 0 for one given at once; null where none came in time. */
  readonly latencyMs: number | null;
  readonly reason: string;
}

/** Accounts for each bidder of the supply, in catalog order. */
export function explain(held: HeldAuction): BidderExplanation[] {
  const { supply, eligible, answers, latenciesMs, country } = held;
  const rows: BidderExplanation[] = supply.bidders.map(({ id, countries }) => {
    const bidsFor = countries.length > 3 ? `${countries.length} others` : countries.join(", ");
    const reason = `bids for ${bidsFor}, not for ${country}`;
    return { bidderId: id, ...NOTHING, state: "not_asked", reason };
  });
  eligible.forEach((place, i) => {
    const answer = answers[i];
    const isAnswer = answer !== undefined && answer.kind !== "notAsked";
    const latencyMs = isAnswer ? (latenciesMs[i] ?? 0) : null;
    const bidderId = supply.bidders[place]!.id;
    rows[place] = { bidderId, ...NOTHING, latencyMs, ...judge(held, i) };
  });
  return rows;
}

const NOTHING = { code: null, priceMicros: null, latencyMs: null };

type Judgement = Pick<BidderExplanation, "state" | "reason"> & Partial<BidderExplanation>;

/** @param i  place among those who were eligible */
function judge(held: HeldAuction, i: number): Judgement {
  const answer = held.answers[i];
  switch (answer?.kind) {
    case undefined:
      return { state: "timeout", reason: describeAbsence(held) };
    case "bid":
      return judgeBid(held, i, answer.priceMicros);
    case "noBid": {
      const { nbr } = answer;
      const reason = nbr === undefined ? "declined" : `declined, nbr ${nbr}`;
      return { state: "no_bid", code: nbr ?? null, reason };
    }
    case "timeout":
      // Its own time is up: no answer came.
      return { state: "timeout", latencyMs: null, reason: answer.reason };
    case "notAsked":
      return { state: "not_asked", reason: answer.reason };
    case "error":
      return { state: "error", reason: answer.reason };
    case "invalid":
      return { state: "invalid", code: answer.code, reason: answer.reason };
  }
}

const describeAbsence = ({ end, tmaxMs }: HeldAuction) =>
  end === "deadline"
    ? `no answer within ${tmaxMs} ms`
    : "no answer when the others were back; it is not waited for";

function judgeBid(held: HeldAuction, i: number, priceMicros: number): Judgement {
  const { supply, winner, cleared, clearingPriceMicros, states, eligible } = held;
  const place = eligible[i]!;
  const lowestMicros = lowestWinning(supply);
  if (states[i] !== BidderState.bid) {
    return {
      state: "invalid",
      code: LossCode.missingPrice,
      reason: `no price: ${priceMicros} micros`,
    };
  }
  if (place === winner) {
    const reason = `highest bid, pays ${writeMoney(clearingPriceMicros)}`;
    return { state: "won", code: LossCode.won, priceMicros, reason };
  }
  if (priceMicros < lowestMicros) {
    const reason = `${writeMoney(priceMicros)} is below the floor of ${writeMoney(lowestMicros)}`;
    return { state: "lost", code: LossCode.belowFloor, priceMicros, reason };
  }
  const isTie = priceMicros === cleared!.winner.priceMicros;
  const reason = isTie
    ? "tied with the winner, which the supply lists first"
    : `outbid, ${writeMoney(minToWin(place, cleared!, supply))} to win`;
  return { state: "lost", code: LossCode.outbid, priceMicros, reason };
}

export const writeMoney = (micros: number) => formatMicros(BigInt(micros));
