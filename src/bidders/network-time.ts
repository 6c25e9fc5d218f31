/** How much of a new handshake counts. */
const SHARE = 1 / 8;

/** How long the way to a bidder and back takes, without the bidder. */
export interface NetworkTime {
  /** Milliseconds; 0 until it is known. */
  ms(): number;
  /** A TCP handshake took this long: the bidder's server has no part in it. */
  noteHandshake(ms: number): void;
  /** A whole call took this long. */
  noteCall(ms: number): void;
}

/**
 * A moving mean of handshakes. They are rare where connections are kept, and long when we are busy:
 * a whole call that took less shows that the network does.
 */
export function createNetworkTime(): NetworkTime {
  let ms: number | undefined;

  return {
    ms: () => ms ?? 0,
    noteHandshake(handshakeMs) {
      ms = ms === undefined ? handshakeMs : ms + (handshakeMs - ms) * SHARE;
    },
    noteCall(callMs) {
      if (ms !== undefined && callMs < ms) ms = callMs;
    },
  };
}
