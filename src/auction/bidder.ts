import type { Supply } from "../catalog/catalog.ts";

/** What is known of the device that the ad is for. */
export interface Device {
  /** Canonical text of an IPv4 or IPv6 address, whole; undefined where the socket is gone. */
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
}

/** Why an auction takes no more answers: time is up, all it waits for are back, its client left. */
export type AuctionEnd = "deadline" | "decided" | "abandoned";

/** One auction as its bidders are asked: the same object for all of them, one after the other. */
export interface BidRequest {
  /** Of the request, unique to the auction: 1 to 64 of A-Z a-z 0-9 . _ - */
  readonly auctionId: string;
  readonly supply: Supply;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** Monotonic clock (performance.now()), milliseconds: an answer after it counts no more. */
  readonly deadlineAtMs: number;
  /** Read by those who tell bidders about it: most auctions never need it. */
  device(): Device;
  /**
   * Calls back once, when answers to this auction count no more; never before `bid` returned, nor
   * where every bidder has answered at once.
   */
  onEnd(listener: (end: AuctionEnd) => void): void;
}

/** What a bidder answered; reasons are for people, and name both values where a check failed. */
export type BidResponse =
  /** Integer micros (CPM), above 0. */
  | { readonly kind: "bid"; readonly priceMicros: number }
  /** `nbr`: OpenRTB 2.6 no-bid reason, where it sent one. */
  | { readonly kind: "noBid"; readonly nbr?: number }
  /** Its own time is up before the auction's. */
  | { readonly kind: "timeout"; readonly reason: string }
  /** Transport or status. */
  | { readonly kind: "error"; readonly reason: string }
  /** `code`: OpenRTB loss reason code, such as 3 for an invalid response, 9 for a missing price. */
  | { readonly kind: "invalid"; readonly code: number; readonly reason: string }
  /** It could not be asked: breaker open, calls in flight, calls a second. */
  | { readonly kind: "notAsked"; readonly reason: string };

export const NO_BID: BidResponse = { kind: "noBid" };

/** Who competes. It may answer at once or later; a rejection is an error of that bidder alone. */
export interface Bidder {
  readonly id: string;
  /** False: its bid counts if it is back when the others are; nobody waits for it. */
  readonly isAwaited: boolean;
  bid(request: BidRequest): BidResponse | Promise<BidResponse>;
  /** What keeps it from being asked at the moment; undefined when nothing does. */
  trouble?(): string | undefined;
  /** The catalog has it no more: calls under way finish, then its connections close. */
  retire?(): void;
}
