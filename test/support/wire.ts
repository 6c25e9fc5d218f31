import { connect } from "node:net";

/** One TCP connection as a program sees it that does not hide how it ends. */
export interface Wire extends Disposable {
  /** Pieces in which bytes came so far, one character per byte. */
  pieces(): readonly string[];
  received(): string;
  /** How the other side has ended it, if it has: with a FIN or with a RST. */
  end(): "closed" | "reset" | undefined;
}

/** Sends bytes on a connection of its own to 127.0.0.1, and keeps all that comes back. */
export function openWire(port: number, bytes: string): Wire {
  const pieces: string[] = [];
  let end: "closed" | "reset" | undefined;
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  socket.on("data", (chunk) => pieces.push(chunk.toString("latin1")));
  socket.on("end", () => {
    end ??= "closed";
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    end = error.code === "ECONNRESET" ? "reset" : end;
  });
  socket.write(bytes, "latin1");
  return {
    pieces: () => pieces,
    received: () => pieces.join(""),
    end: () => end,
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
