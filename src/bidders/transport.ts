/** What a bidder's server answered: the status, and a body of at most 64 KiB, decompressed. */
export interface BidderReply {
  readonly status: number;
  readonly body: Buffer;
}

/** Told how a call ended: one of the two, once, and neither after the call was aborted. */
export interface CallListener {
  onReply(reply: BidderReply): void;
  /** @param reason  for people: printable ASCII, a line at most */
  onFailure(reason: string): void;
}

/** A call under way. */
export interface Call {
  /**
   * Ends it without an answer. Its connection is closed: the rest of an answer may come on it. Does
   * nothing where the call has ended.
   */
  abort(): void;
}

/** The way to one bidder's server. */
export interface BidderTransport {
  /**
   * Sends a whole HTTP request. The listener is never called before `send` has returned.
   * @param request  the same bytes may be sent a second time, see the implementation
   */
  send(request: string | Buffer, listener: CallListener): Call;
  /** Idle connections close, the others when their call has ended. Calls remain possible. */
  retire(): void;
}
