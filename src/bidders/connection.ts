import type { Socket, SocketHandler } from "bun";
import { wordsOf } from "./reason.ts";
import { BadResponseError } from "./response-head.ts";
import { createResponseReader, type ReadResponse } from "./response-reader.ts";
import type { CallListener } from "./transport.ts";

/** Idle or not: a connection on which nothing moves for this long closes. */
const QUIET_SECONDS_MAX = 30;

/** One call on its way through the connections. */
export interface Exchange {
  readonly request: string | Buffer;
  readonly listener: CallListener;
  /** Sent once already, on a connection that the server had closed. */
  isRepeated: boolean;
}

/** Where a connection leads. */
export interface Peer {
  /** Of an address that was checked; no name is looked up here. */
  readonly address: string;
  readonly port: number;
  /** With it the connection is encrypted, and the server's certificate must be for `serverName`. */
  readonly tls?: { readonly serverName: string; readonly ca?: string };
}

export interface ConnectionOptions {
  peer: Peer;
  /** The connection may carry calls; `handshakeMs` is the time of one way there and back. */
  onOpen: (connection: Connection, handshakeMs: number) => void;
  /** It does not open, or not in time: then it may stay in the kernel's hands for minutes. */
  onRefused: (reason: string) => void;
  /** The end of one that was refused. */
  onGone: () => void;
  /** Its call has ended, and it may carry the next one. */
  onFree: (connection: Connection) => void;
  /**
   * The end of one that was open. With a call where the server closed it before it answered
   * anything, as it may do with an idle connection.
   */
  onClosed: (connection: Connection, stale: Exchange | undefined) => void;
  /** Longest that it may take to open, milliseconds. */
  openMs: number;
  /** Monotonic clock, milliseconds. */
  now: () => number;
}

/** One HTTP/1.1 connection: one call at a time, as many as both sides like. */
export interface Connection {
  start(exchange: Exchange): void;
  /** Closes it at once where it carries this call, which is told nothing more. */
  abort(exchange: Exchange): void;
  /** Closes it at once, and forgets its call. */
  destroy(): void;
}

/** What the socket tells its connection. */
interface Events {
  connected(socket: Socket<Events>): void;
  secured(isTrusted: boolean, error: Error | null): void;
  received(bytes: Buffer): void;
  writable(): void;
  quiet(): void;
  closed(reason: string): void;
}

const CLOSED = "connection closed";
const HANDLERS: SocketHandler<Events> = {
  open: (socket) => socket.data.connected(socket),
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.writable(),
  timeout: (socket) => socket.data.quiet(),
  close: (socket, error) => socket.data.closed(error ? wordsOf(error) : CLOSED),
  error: (socket, error) => socket.data.closed(wordsOf(error)),
  connectError: (socket, error) => socket.data.closed(wordsOf(error)),
};
const SECURE_HANDLERS: SocketHandler<Events> = {
  ...HANDLERS,
  handshake: (socket, isTrusted, error) => socket.data.secured(isTrusted, error),
};

/** Begins to connect; what becomes of it is told to the options. */
export function openConnection(options: ConnectionOptions): void {
  const { peer, onOpen, onRefused, onGone, onFree, onClosed, openMs, now } = options;
  const reader = createResponseReader();
  const beganAtMs = now();
  let socket: Socket<Events> | undefined;
  let handshakeMs = 0;
  let exchange: Exchange | undefined;
  let unsent: Buffer | undefined;
  let hasCarried = false;
  /** `refused`: nobody waits for it any more. */
  let state: "opening" | "refused" | "open" | "closed" = "opening";
  const connection: Connection = { start, abort, destroy };
  const timer = setTimeout(() => refuse(`not connected within ${openMs} ms`), openMs);

  function opened(): void {
    state = "open";
    clearTimeout(timer);
    onOpen(connection, handshakeMs);
  }

  function refuse(reason: string): void {
    state = "refused";
    clearTimeout(timer);
    socket?.terminate();
    onRefused(reason);
  }

  function start(next: Exchange): void {
    exchange = next;
    write(next.request);
  }

  function abort(call: Exchange): void {
    if (exchange === call) destroy();
  }

  function write(bytes: string | Buffer): void {
    const written = Math.max(0, socket!.write(bytes));
    // Requests are ASCII or bytes, so that characters count as bytes.
    unsent = written < bytes.length ? Buffer.from(bytes as string).subarray(written) : undefined;
  }

  /** The call's end, before anyone is told: the listener may start or abort others. */
  function release(): CallListener {
    const { listener } = exchange!;
    exchange = unsent = undefined;
    hasCarried = true;
    return listener;
  }

  function destroy(): void {
    if (state === "closed") return;
    const wasOpen = state === "open";
    state = "closed";
    exchange = undefined;
    socket?.terminate();
    if (wasOpen) onClosed(connection, undefined);
    else onGone();
  }

  function fail(reason: string): void {
    const listener = release();
    destroy();
    listener.onFailure(reason);
  }

  const events: Events = {
    connected(opening) {
      socket = opening;
      if (state === "refused") return void socket.terminate();
      socket.setNoDelay(true);
      socket.timeout(QUIET_SECONDS_MAX);
      handshakeMs = now() - beganAtMs;
      if (!peer.tls) opened();
    },
    secured(isTrusted, error) {
      if (state !== "opening") return;
      if (isTrusted) opened();
      else refuse(`certificate refused: ${wordsOf(error)}`);
    },
    received(bytes) {
      if (state !== "open") return;
      if (!exchange) return destroy(); // Nobody asked: it would be taken for the next answer.
      let response: ReadResponse | undefined;
      try {
        response = reader.read(bytes);
      } catch (error) {
        return fail(reasonOf(error));
      }
      if (!response) return;
      const isFree = response.isReusable && unsent === undefined;
      const listener = release();
      if (isFree) onFree(connection);
      else destroy();
      listener.onReply(response);
    },
    writable() {
      if (unsent) write(unsent);
    },
    quiet() {
      if (state === "open" && !exchange) destroy(); // A call has a deadline of its own.
    },
    closed(reason) {
      if (state === "closed") return;
      if (state === "opening") refuse(reason);
      if (!exchange) return destroy();
      // A server may close an idle connection at any time, also while a request is on its way.
      if (hasCarried && !reader.hasBegun() && !exchange.isRepeated) {
        const stale = exchange;
        state = "closed";
        socket?.terminate();
        return onClosed(connection, stale);
      }
      let response: ReadResponse;
      try {
        response = reader.end();
      } catch (error) {
        return fail(reason === CLOSED ? reasonOf(error) : reason);
      }
      const listener = release();
      destroy();
      listener.onReply(response);
    },
  };

  connect(peer, events).catch((error) => events.closed(wordsOf(error)));
}

/** Rejects for whatever reason there is no connection, also where the settings are of no use. */
async function connect({ address, port, tls }: Peer, events: Events): Promise<void> {
  await Bun.connect<Events>({
    hostname: address,
    port,
    data: events,
    socket: tls ? SECURE_HANDLERS : HANDLERS,
    ...(tls && { tls: { ...tls, rejectUnauthorized: true } }),
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof BadResponseError) return error.message;
  throw error;
}
