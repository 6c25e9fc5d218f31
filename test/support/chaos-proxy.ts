import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What becomes of bytes on their way. TCP cannot reorder them or lose some, so neither is here. */
export type Fault =
  | { readonly kind: "none" }
  /** Each piece takes so long, and never overtakes the one before it. */
  | { readonly kind: "delay"; readonly leastMs: number; readonly mostMs: number }
  /**
   * Of the pieces in one direction this share ends its connection, with some of its bytes or none
   * passed on. `each: "connection"` decides once for all pieces of a connection.
   */
  | {
      readonly kind: "cut";
      readonly pieces: "requests" | "replies";
      readonly share: number;
      readonly each?: "piece" | "connection";
    }
  /** Nothing passes and nobody is told; connections are accepted. What was sent passes later. */
  | { readonly kind: "blackhole" };

/** Stands between a service and its server on this machine, and can be told to misbehave. */
export interface ChaosProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on, for open connections too. */
  setFault(fault: Fault): void;
  /** Connections ended by a fault so far. */
  cuts(): number;
}

export async function startChaosProxy(targetPort: number): Promise<ChaosProxy> {
  let fault: Fault = { kind: "none" };
  let cuts = 0;
  const links = new Set<Link>();
  const server = createServer((client) => {
    const link = openLink(client, connect(targetPort, "127.0.0.1"), {
      fault: () => fault,
      onCut: () => cuts++,
    });
    links.add(link);
    client.on("close", () => links.delete(link));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  function setFault(next: Fault): void {
    fault = next;
    for (const link of links) link.flush();
  }

  async function dispose(): Promise<void> {
    for (const link of links) link.destroy();
    await new Promise((resolve) => server.close(resolve));
  }

  return {
    port: (server.address() as AddressInfo).port,
    setFault,
    cuts: () => cuts,
    [Symbol.asyncDispose]: dispose,
  };
}

interface Control {
  fault: () => Fault;
  onCut: () => void;
}

/** One client's connection and the one that was opened for it. */
interface Link {
  /** Sends what waits and may pass now. */
  flush(): void;
  destroy(): void;
}

function openLink(client: Socket, server: Socket, { fault, onCut }: Control): Link {
  const toServer = createLane(server, fault);
  const toClient = createLane(client, fault);
  const luck = Math.random();

  function carry(from: Socket, lane: Lane, pieces: "requests" | "replies"): void {
    from.setNoDelay(true);
    from.on("data", (bytes: Buffer) => {
      if (!isCut(pieces)) return lane.push(bytes);
      onCut();
      lane.push(bytes.subarray(0, Math.floor(Math.random() * bytes.length)));
      destroy();
    });
    from.on("end", () => lane.push(undefined));
    from.on("error", destroy);
    from.on("close", () => lane.push(undefined));
  }

  function isCut(pieces: "requests" | "replies"): boolean {
    const now = fault();
    if (now.kind !== "cut" || now.pieces !== pieces) return false;
    return (now.each === "connection" ? luck : Math.random()) < now.share;
  }

  function flush(): void {
    toServer.flush();
    toClient.flush();
  }

  function destroy(): void {
    client.destroy();
    server.destroy();
  }

  carry(client, toServer, "requests");
  carry(server, toClient, "replies");
  return { flush, destroy };
}

/** One direction of a link: a queue, so that the order is kept whatever the fault is. */
interface Lane {
  /** Undefined: the sender has ended. */
  push(bytes: Buffer | undefined): void;
  flush(): void;
}

function createLane(target: Socket, fault: () => Fault): Lane {
  const queue: { bytes: Buffer | undefined; dueMs: number }[] = [];
  let lastDueMs = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function push(bytes: Buffer | undefined): void {
    lastDueMs = Math.max(lastDueMs, performance.now() + delayMs());
    queue.push({ bytes, dueMs: lastDueMs });
    flush();
  }

  function delayMs(): number {
    const now = fault();
    if (now.kind !== "delay") return 0;
    return now.leastMs + Math.random() * (now.mostMs - now.leastMs);
  }

  function flush(): void {
    clearTimeout(timer);
    if (fault().kind === "blackhole") return;
    while (queue.length > 0) {
      const leftMs = queue[0]!.dueMs - performance.now();
      if (leftMs > 0) {
        timer = setTimeout(flush, Math.ceil(leftMs));
        return;
      }
      const { bytes } = queue.shift()!;
      if (target.destroyed) continue;
      if (bytes) target.write(bytes);
      else target.end();
    }
  }

  return { push, flush };
}
