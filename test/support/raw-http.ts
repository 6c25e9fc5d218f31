/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; of a repeated header the last one. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Bytes of the body. */
  readonly size: number;
  /** Head and body as sent, one character per byte. */
  readonly raw: string;
}

export interface RawRequest {
  method?: string;
  path?: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent with its Content-Length, unless the headers have one. */
  body?: string;
}

/** One TCP connection on which exactly the given bytes are sent. */
export interface RawConnection {
  /**
   * Sends and resolves with the next answer.
   * @param isHead  the answer has no body, whatever its headers say
   * @throws Error when the connection ends before a whole answer
   */
  ask(bytes: string, isHead?: boolean): Promise<RawAnswer>;
  isOpen(): boolean;
  close(): void;
}

/** Writes a request down. Bytes above 0x7f are sent as UTF-8. */
export function formatRequest(request: RawRequest): string {
  const { method = "POST", path = "/bid", headers = {}, body } = request;
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (
    body !== undefined &&
    !names.some((n) => ["content-length", "transfer-encoding"].includes(n))
  ) {
    lines.push(`Content-Length: ${Buffer.byteLength(body)}\r\n`);
  }
  return `${method} ${path} HTTP/1.1\r\nHost: exchange\r\n${lines.join("")}\r\n${body ?? ""}`;
}

/** Asks on a connection of its own. */
export async function askOnce(port: number, request: RawRequest | string): Promise<RawAnswer> {
  const connection = await openConnection(port);
  try {
    const bytes = typeof request === "string" ? request : formatRequest(request);
    return await connection.ask(bytes, typeof request !== "string" && request.method === "HEAD");
  } finally {
    connection.close();
  }
}

export async function openConnection(port: number, hostname = "127.0.0.1"): Promise<RawConnection> {
  let received = "";
  let unsent = new Uint8Array();
  let isOpen = true;
  let waiting: { isHead: boolean; answered: PromiseWithResolvers<RawAnswer> } | undefined;

  const socket = await Bun.connect({
    hostname,
    port,
    socket: {
      data(_, chunk) {
        received += chunk.toString("latin1");
        settle();
      },
      drain: flush,
      close: end,
      error: end,
    },
  });
  socket.setNoDelay(true);

  function settle(): void {
    if (!waiting) return;
    const length = answerLength(received, waiting.isHead, !isOpen);
    if (length === undefined) return;
    waiting.answered.resolve(parseAnswer(received.slice(0, length)));
    received = received.slice(length);
    waiting = undefined;
  }

  function end(): void {
    isOpen = false;
    settle();
    waiting?.answered.reject(new Error(`closed after ${JSON.stringify(received.slice(0, 200))}`));
    waiting = undefined;
  }

  function flush(): void {
    const sent = socket.write(unsent);
    unsent = unsent.subarray(Math.max(sent, 0));
  }

  function ask(bytes: string, isHead = false): Promise<RawAnswer> {
    const answered = Promise.withResolvers<RawAnswer>();
    if (!isOpen) answered.reject(new Error("the connection is closed"));
    waiting = { isHead, answered };
    unsent = new TextEncoder().encode(bytes);
    flush();
    return answered.promise;
  }

  return { ask, isOpen: () => isOpen, close: () => void socket.end() };
}

/** Characters of the first answer, or undefined while it is not whole. */
function answerLength(text: string, isHead: boolean, isClosed: boolean): number | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const hasNoBody = isHead || /^HTTP\/1.1 (204|304)/.test(head);
  const declared = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (!hasNoBody && declared === undefined) return isClosed ? text.length : undefined;
  const length = headEnd + 4 + (hasNoBody ? 0 : Number(declared));
  return text.length >= length ? length : undefined;
}

function parseAnswer(raw: string): RawAnswer {
  const headEnd = raw.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = raw.slice(0, headEnd).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const body = Buffer.from(raw.slice(headEnd + 4), "latin1");
  const status = Number(statusLine.split(" ")[1]);
  return { status, headers, body: body.toString("utf8"), size: body.length, raw };
}
