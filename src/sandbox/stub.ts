import { bomb } from "./faults.ts";
import { listenPlainly } from "./plain-listener.ts";
import { isFault } from "./profile.ts";
import { listenRoughly } from "./rough-listener.ts";
import { type Counters, createStubBidder, type StubOrder } from "./stub-bidder.ts";

/** A bidder that listens on a port of its own, on 127.0.0.1. */
export interface Stub {
  readonly port: number;
  readonly counters: Readonly<Counters>;
  /** Ends its connections as well. */
  close(): Promise<void>;
}

/** Opens a bidder. Only those that may break a connection pay for being able to. */
export async function openStub(order: StubOrder): Promise<Stub> {
  const bidder = createStubBidder(order);
  const { misbehaviours } = order.profile;
  if (misbehaviours.gzip_bomb) bomb();
  const isRough = Object.keys(misbehaviours).some(isFault);
  const listener = isRough ? await listenRoughly(bidder) : listenPlainly(bidder);
  return { ...listener, counters: bidder.counters };
}
