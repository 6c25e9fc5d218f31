import type { Socket } from "bun";

/** A TCP connection that sends what it is told, also what no client would, and keeps all it gets. */
export interface RawSocket {
  send(bytes: string): void;
  /** Everything received so far, one character per byte. */
  received(): string;
  /** The other side has closed it, or reset it. */
  isClosed(): boolean;
  close(): void;
}

export async function openSocket(port: number, hostname = "127.0.0.1"): Promise<RawSocket> {
  let text = "";
  let isClosed = false;
  let unsent = new Uint8Array();
  const end = () => {
    isClosed = true;
  };
  const flush = (socket: Socket) => {
    const sent = socket.write(unsent);
    unsent = unsent.subarray(Math.max(sent, 0));
  };
  const socket = await Bun.connect({
    hostname,
    port,
    socket: {
      data(_, chunk) {
        text += chunk.toString("latin1");
      },
      drain: flush,
      end,
      close: end,
      error: end,
    },
  });
  socket.setNoDelay(true);
  return {
    send(bytes) {
      unsent = Buffer.concat([unsent, Buffer.from(bytes, "latin1")]);
      flush(socket);
    },
    received: () => text,
    isClosed: () => isClosed,
    close: () => void socket.end(),
  };
}
