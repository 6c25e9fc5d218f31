import type { AddressBook } from "./address-book.ts";
import { type Connection, type Exchange, openConnection, type Peer } from "./connection.ts";
import { wordsOf } from "./reason.ts";
import type { BidderTransport, Call, CallListener } from "./transport.ts";

export interface ConnectionPoolOptions {
  addresses: AddressBook;
  peer: Omit<Peer, "address">;
  /** Most connections at a time, those that are being opened included. */
  connectionsMax: number;
  /** Longest that one may take to open, milliseconds. */
  openMs?: number;
  /** Told the time of one way there and back over the network. */
  onOpen?: (handshakeMs: number) => void;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
}

const OPEN_MS = 1_000;
/** Connections that did not open in time and that the kernel still tries. */
const LOST_MAX = 128;

/** A call, and the connection that it is on once there is one. */
interface Underway extends Exchange {
  connection: Connection | undefined;
}

/**
 * Keep-alive connections to one server, the last used first, so that those a quiet time does not
 * need close. Calls without one wait for the next that is open or free; beyond `connectionsMax`
 * they fail at once.
 *
 * A call whose connection was closed before a byte of the answer is sent once more, on a connection
 * of its own: a server may close an idle one just then. Redirects are answers like any other.
 */
export function createConnectionPool(options: ConnectionPoolOptions): BidderTransport {
  const { addresses, peer, connectionsMax, openMs = OPEN_MS, onOpen } = options;
  const { now = () => performance.now() } = options;
  const idle: Connection[] = [];
  const waiting = new Set<Underway>();
  let opening = 0;
  /** Open, or being opened. */
  let count = 0;
  let lost = 0;
  let isRetired = false;

  function send(request: string | Buffer, listener: CallListener): Call {
    const call: Underway = { request, listener, isRepeated: false, connection: undefined };
    const connection = idle.pop();
    if (connection) put(call, connection);
    else wait(call);
    return { abort: () => abort(call) };
  }

  function abort(call: Underway): void {
    if (!waiting.delete(call)) call.connection?.abort(call);
  }

  function put(call: Underway, connection: Connection): void {
    call.connection = connection;
    connection.start(call);
  }

  /** One connection is opened for each call that waits, and no more. */
  function wait(call: Underway): void {
    waiting.add(call);
    if (opening >= waiting.size) return;
    if (count < connectionsMax && lost < LOST_MAX) open();
    else queueMicrotask(() => fail(call, `${connectionsMax} connections, none is free`));
  }

  function fail(call: Underway, reason: string): void {
    if (waiting.delete(call)) call.listener.onFailure(reason);
  }

  function open(): void {
    opening++;
    count++;
    try {
      const address = addresses.address();
      if (typeof address === "string") connect(address);
      else address.then(connect, giveUp);
    } catch (error) {
      queueMicrotask(() => giveUp(error));
    }
  }

  function connect(address: string): void {
    openConnection({
      peer: { address, ...peer },
      onOpen(connection, handshakeMs) {
        opening--;
        onOpen?.(handshakeMs);
        free(connection);
      },
      onRefused(reason) {
        addresses.turn();
        lost++;
        refuse(reason);
      },
      onGone: () => void lost--,
      onFree: free,
      onClosed: forget,
      openMs,
      now,
    });
  }

  const giveUp = (error: unknown) => refuse(wordsOf(error));

  function refuse(reason: string): void {
    opening--;
    count--;
    // Those that opening connections are meant for still wait for them.
    const [call] = waiting;
    if (call && waiting.size > opening) fail(call, reason);
  }

  function free(connection: Connection): void {
    const [call] = waiting;
    if (call) {
      waiting.delete(call);
      put(call, connection);
    } else if (isRetired) connection.destroy();
    else idle.push(connection);
  }

  function forget(connection: Connection, stale: Exchange | undefined): void {
    count--;
    const place = idle.lastIndexOf(connection);
    if (place >= 0) idle.splice(place, 1);
    if (!stale) return;
    stale.isRepeated = true;
    wait(stale as Underway);
  }

  function retire(): void {
    isRetired = true;
    for (const connection of idle.splice(0)) connection.destroy();
  }

  return { send, retire };
}
