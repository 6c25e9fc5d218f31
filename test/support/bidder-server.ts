import type { Socket, TLSOptions } from "bun";

/** What a scripted server does with one request: bytes to send, and what becomes of the socket. */
export interface Scene {
  /** Sent as they are, one piece after the other. */
  readonly pieces?: readonly (string | Uint8Array)[];
  /** What follows the last piece; nothing: the connection stays. */
  readonly end?: "close" | "reset";
}

/** A request as it came. */
export interface SeenRequest {
  readonly head: string;
  readonly body: Buffer;
  /** Which connection it came on: 0 is the first. */
  readonly connection: number;
}

/** A server that answers with whatever a test wants on the wire, right or wrong. */
export interface BidderServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly requests: SeenRequest[];
  /** Connections accepted so far. */
  accepted(): number;
  /** Connections that are open. */
  open(): number;
  /** Closes every open connection, as a server does that has had enough of idle ones. */
  closeAll(): void;
}

interface Peer {
  readonly number: number;
  received: Buffer;
  unsent: Uint8Array[];
  end: Scene["end"];
}

/** @param answer  the scene of a request, at once or later; undefined: no byte, ever */
export function serveBidder(
  answer: (request: SeenRequest) => Scene | undefined | Promise<Scene | undefined>,
  options: { port?: number; tls?: TLSOptions } = {},
): BidderServer {
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket<Peer>>();
  let accepted = 0;

  async function take(socket: Socket<Peer>): Promise<void> {
    const peer = socket.data;
    const headEnd = peer.received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = peer.received.toString("latin1", 0, headEnd);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    const bodyEnd = headEnd + 4 + length;
    if (peer.received.length < bodyEnd) return;
    const body = peer.received.subarray(headEnd + 4, bodyEnd);
    peer.received = peer.received.subarray(bodyEnd);
    const request = { head, body, connection: peer.number };
    requests.push(request);
    const { pieces = [], end } = (await answer(request)) ?? {};
    peer.unsent = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
    peer.end = end;
    pump(socket);
  }

  /** Piece by piece with a pause between, so that they arrive as pieces. */
  function pump(socket: Socket<Peer>): void {
    const peer = socket.data;
    const piece = peer.unsent[0];
    if (piece === undefined) {
      if (peer.end === "close") socket.end();
      if (peer.end === "reset") socket.terminate();
      return;
    }
    const written = Math.max(0, socket.write(piece));
    if (written < piece.length) peer.unsent[0] = piece.subarray(written);
    else {
      peer.unsent.shift();
      setImmediate(() => sockets.has(socket) && pump(socket));
    }
  }

  const server = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    ...(options.tls && { tls: options.tls }),
    socket: {
      open(socket) {
        socket.data = {
          number: accepted++,
          received: Buffer.alloc(0),
          unsent: [],
          end: undefined,
        };
        sockets.add(socket);
      },
      data(socket, bytes) {
        socket.data.received = Buffer.concat([socket.data.received, bytes]);
        void take(socket);
      },
      drain: pump,
      close: (socket) => void sockets.delete(socket),
      error: () => {},
    },
  });
  return {
    port: server.port,
    url: `${options.tls ? "https" : "http"}://127.0.0.1:${server.port}/bid`,
    requests,
    accepted: () => accepted,
    open: () => sockets.size,
    closeAll: () => {
      for (const socket of sockets) socket.end();
    },
    async [Symbol.asyncDispose]() {
      server.stop(true);
    },
  };
}

/** A whole answer of status 200 with a JSON body. */
export function jsonAnswer(body: unknown, headers = ""): string {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const length = Buffer.byteLength(text);
  return `HTTP/1.1 200 OK\r\n${headers}content-length: ${length}\r\n\r\n${text}`;
}
