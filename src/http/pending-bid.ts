import type { Asker } from "../actor/batcher.ts";
import type { Offer } from "../auction/auctioneer.ts";
import type { Device } from "../auction/bidder.ts";
import type { Supply } from "../catalog/catalog.ts";
import type { Verdict } from "../limiter/limiter.ts";
import { Guarded } from "./deadlines.ts";

/** Knows the other end of a request's socket, while it is open. */
export interface Sockets {
  requestIP(request: Request): { readonly address: string } | null;
}

/** A request for a bid, whoever sent it. */
export interface Arrival {
  readonly request: Request;
  readonly sockets: Sockets;
  readonly requestId: string;
}

/** What it asks for, once it has been read. */
type Wish = Pick<Offer, "supply" | "catalogVersion" | "country" | "arrivedAtMs" | "tmaxMs"> & {
  readonly isExplained: boolean;
};

/** What a bid takes of its route. */
export interface Steps {
  /** The limiter has answered. @returns the answer, at once unless bidders are waited for */
  decide(bid: PendingBid, verdict: Verdict): Response | Promise<Response>;
  /** The limiter has no verdict. @throws what is no refusal */
  refuseUndecided(bid: PendingBid, fault: unknown): Response;
  /** The budget is over: whatever is still to come is not counted. */
  giveUp(bid: PendingBid): Response;
  deviceOf(arrival: Arrival): Device;
}

/**
 * A bid that is being answered: what its auction is held for, who asks the limiter, and who is
 * waited for. One object and one promise: more of them cost a twentieth of a bid on Redis.
 */
export class PendingBid extends Guarded implements Offer, Asker<Verdict> {
  readonly supply: Supply;
  readonly catalogVersion: number;
  readonly country: string;
  readonly arrivedAtMs: number;
  readonly tmaxMs: number;
  readonly isExplained: boolean;
  /** Of the limiter, once it has answered. */
  verdict: Verdict | undefined = undefined;
  isAbandoned = false;
  private readonly arrival: Arrival;
  private readonly steps: Steps;
  private resolve: (response: Response) => void = nobodyWaits;
  private reject: (fault: unknown) => void = nobodyWaits;

  constructor(arrival: Arrival, steps: Steps, wish: Wish) {
    super();
    this.arrival = arrival;
    this.steps = steps;
    this.supply = wish.supply;
    this.catalogVersion = wish.catalogVersion;
    this.country = wish.country;
    this.arrivedAtMs = wish.arrivedAtMs;
    this.tmaxMs = wish.tmaxMs;
    this.isExplained = wish.isExplained;
  }

  get requestId(): string {
    return this.arrival.requestId;
  }

  get auctionId(): string {
    return this.requestId;
  }

  device(): Device {
    return this.steps.deviceOf(this.arrival);
  }

  /** Also of a client that has gone already, while the limiter was asked: that is told no more. */
  onClientGone(listener: () => void): void {
    const { signal } = this.arrival.request;
    if (signal.aborted) listener();
    else signal.addEventListener("abort", listener);
  }

  /** The answer, once one of the following has led to it. */
  wait(): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  onReply(verdict: Verdict): void {
    try {
      this.settle(this.steps.decide(this, verdict));
    } catch (fault) {
      this.onFailed(fault);
    }
  }

  onFault(fault: unknown): void {
    try {
      this.settle(this.steps.refuseUndecided(this, fault));
    } catch (failure) {
      this.onFailed(failure);
    }
  }

  override expire(): void {
    this.isAbandoned = true;
    this.resolve(this.steps.giveUp(this));
  }

  settle(answered: Response | Promise<Response>): void {
    if (answered instanceof Promise) {
      answered.then(
        (response) => this.settle(response),
        (fault) => this.onFailed(fault),
      );
      return;
    }
    this.leave();
    this.resolve(answered);
  }

  private onFailed(fault: unknown): void {
    this.leave();
    this.reject(fault);
  }
}

function nobodyWaits(): void {}
