import { describe, expect, test } from "bun:test";
import { createAddressBook } from "../../src/bidders/address-book.ts";
import {
  type ConnectionPoolOptions,
  createConnectionPool,
} from "../../src/bidders/connection-pool.ts";
import type { BidderTransport } from "../../src/bidders/transport.ts";
import { jsonAnswer, type Scene, type SeenRequest, serveBidder } from "../support/bidder-server.ts";
import { AUTHORITY, CERTIFICATE, KEY } from "../support/certificate.ts";
import { until } from "../support/until.ts";

const REQUEST = "POST /bid HTTP/1.1\r\nhost: bidder\r\ncontent-length: 2\r\n\r\n{}";
const OK: Scene = { pieces: [jsonAnswer({})] };

/** A pool to a server on this machine. */
function poolTo(port: number, differently: Partial<ConnectionPoolOptions> = {}): BidderTransport {
  const egress = { allowPrivate: true };
  return createConnectionPool({
    addresses: createAddressBook({ host: "127.0.0.1", egress }),
    peer: { port },
    connectionsMax: 10,
    ...differently,
  });
}

/** How a call ends: the status and the body, or the reason of its failure. */
const callOf = (pool: BidderTransport, request: string | Buffer = REQUEST) =>
  new Promise<string>((resolve) => {
    pool.send(request, {
      onReply: ({ status, body }) => resolve(`${status} ${body}`),
      onFailure: resolve,
    });
  });

describe("connection pool", () => {
  test("keeps a connection for the calls that follow", async () => {
    await using server = serveBidder(() => OK);
    const pool = poolTo(server.port);
    for (let i = 0; i < 20; i++) expect(await callOf(pool)).toBe("200 {}");
    expect(server.accepted()).toBe(1);
  });

  test("opens as many connections as calls are under way, and uses all of them again", async () => {
    await using server = serveBidder(() => OK);
    const pool = poolTo(server.port);
    const burst = () => Promise.all(Array.from({ length: 10 }, () => callOf(pool)));
    for (let i = 0; i < 5; i++) expect(new Set(await burst())).toEqual(new Set(["200 {}"]));
    expect(server.accepted()).toBeWithin(1, 11);
  });

  test("never has more connections than it may, and says so at once", async () => {
    await using server = serveBidder(() => undefined);
    const pool = poolTo(server.port, { connectionsMax: 2 });
    const calls = Array.from({ length: 3 }, () => callOf(pool));
    expect(await Promise.race(calls)).toBe("2 connections, none is free");
    await until("both calls are there", () => server.requests.length === 2);
    expect(server.accepted()).toBe(2);
  });

  test("gives a connection that becomes free to a call that waits for one", async () => {
    const answers: (() => void)[] = [];
    await using server = serveBidder(() => OK);
    const lookup = () =>
      new Promise<string[]>((resolve) => {
        answers.push(() => resolve(["127.0.0.1"]));
      });
    const addresses = createAddressBook({ host: "b.test", egress: { allowPrivate: true }, lookup });
    const pool = poolTo(server.port, { addresses });
    const first = callOf(pool);
    const second = callOf(pool);
    answers[0]!();
    expect(await Promise.all([first, second])).toEqual(["200 {}", "200 {}"]);
    expect(answers.length).toBe(1);
  });

  test.each([
    ["says that it closes", { pieces: [jsonAnswer({}, "connection: close\r\n")] }],
    ["sends more than its answer", { pieces: [`${jsonAnswer({})}HTTP/1.1 200 OK\r\n`] }],
    ["answers without a length", { pieces: ["HTTP/1.1 200 OK\r\n\r\n{}"], end: "close" }],
  ] as [string, Scene][])("calls on a new connection after a server that %s", async (_, scene) => {
    await using server = serveBidder(() => scene);
    const pool = poolTo(server.port);
    expect([await callOf(pool), await callOf(pool)]).toEqual(["200 {}", "200 {}"]);
    expect(server.accepted()).toBe(2);
  });

  test("drops an idle connection on which something comes that nobody asked for", async () => {
    await using server = serveBidder(({ connection }) =>
      connection === 0 ? { pieces: [jsonAnswer("first"), jsonAnswer("smuggled")] } : OK,
    );
    const pool = poolTo(server.port);
    expect(await callOf(pool)).toBe("200 first");
    await until("the connection is dropped", () => server.open() === 0);
    expect(await callOf(pool)).toBe("200 {}");
  });

  test("forgets idle connections that the server closes", async () => {
    await using server = serveBidder(() => OK);
    const pool = poolTo(server.port);
    await callOf(pool);
    server.closeAll();
    await until("the connection is closed", () => server.open() === 0);
    expect(await callOf(pool)).toBe("200 {}");
    expect(server.accepted()).toBe(2);
  });

  test("sends a call again whose connection the server closed instead of answering", async () => {
    const seen: SeenRequest[] = [];
    await using server = serveBidder((request) => {
      seen.push(request);
      return seen.length === 2 ? { end: "close" } : OK;
    });
    const pool = poolTo(server.port);
    await callOf(pool);
    expect(await callOf(pool)).toBe("200 {}");
    expect(seen.map(({ connection }) => connection)).toEqual([0, 0, 1]);
  });

  test("sends no call more than twice", async () => {
    await using server = serveBidder(({ connection }) =>
      connection === 0 && server.requests.length === 1 ? OK : { end: "close" },
    );
    const pool = poolTo(server.port);
    await callOf(pool);
    expect(await callOf(pool)).toBe("connection closed without an answer");
    expect(server.requests.length).toBe(3);
  });

  test("sends no call again of which a byte was answered, nor one on a new connection", async () => {
    await using server = serveBidder(() =>
      server.requests.length === 2 ? { pieces: ["H"], end: "close" } : OK,
    );
    const pool = poolTo(server.port);
    await callOf(pool);
    expect(await callOf(pool)).toBe("connection closed within the answer");
    await using rude = serveBidder(() => ({ end: "close" }));
    expect(await callOf(poolTo(rude.port))).toBe("connection closed without an answer");
    expect(rude.requests.length).toBe(1);
  });

  test("sends requests of any size whole", async () => {
    const body = "x".repeat(8_000_000);
    await using server = serveBidder(() => OK);
    const head = `POST / HTTP/1.1\r\ncontent-length: ${body.length}\r\n\r\n`;
    const pool = poolTo(server.port);
    expect(await callOf(pool, head + body)).toBe("200 {}");
    expect(await callOf(pool, Buffer.from(head + body))).toBe("200 {}");
    expect(server.requests.map((request) => request.body.toString() === body)).toEqual([
      true,
      true,
    ]);
  }, 60_000);

  test("an aborted call is not told of, and takes its connection with it", async () => {
    await using server = serveBidder(({ connection }) => (connection === 0 ? undefined : OK));
    const pool = poolTo(server.port);
    const told: string[] = [];
    const note = () => void told.push("told");
    const call = pool.send(REQUEST, { onReply: note, onFailure: note });
    await until("the call is there", () => server.requests.length === 1);
    call.abort();
    await until("its connection is closed", () => server.open() === 0);
    expect(await callOf(pool)).toBe("200 {}");
    expect(told).toEqual([]);
  });

  test("aborting a call that has ended does nothing to the next one on its connection", async () => {
    const gate = Promise.withResolvers<Scene>();
    await using server = serveBidder(() => (server.requests.length === 1 ? OK : gate.promise));
    const pool = poolTo(server.port);
    const ended = Promise.withResolvers<void>();
    const first = pool.send(REQUEST, { onReply: () => ended.resolve(), onFailure: () => {} });
    await ended.promise;
    const second = callOf(pool);
    await until("the second call is there", () => server.requests.length === 2);
    first.abort();
    gate.resolve(OK);
    expect(await second).toBe("200 {}");
    expect(server.accepted()).toBe(1);
  });

  test("a connection that opens after its call was aborted serves the next", async () => {
    await using server = serveBidder(() => OK);
    const pool = poolTo(server.port);
    const note = () => {
      throw new Error("told of an aborted call");
    };
    pool.send(REQUEST, { onReply: note, onFailure: note }).abort();
    expect(await callOf(pool)).toBe("200 {}");
    expect(server.accepted()).toBe(1);
  });

  test("a server that is away fails each call, and no more than those", async () => {
    const server = serveBidder(() => OK);
    await server[Symbol.asyncDispose]();
    const pool = poolTo(server.port);
    const calls = Array.from({ length: 5 }, () => callOf(pool));
    expect(new Set((await Promise.all(calls)).map((reason) => reason.slice(0, 12)))).toEqual(
      new Set(["ECONNREFUSED"]),
    );
  });

  test("closes what is idle when it is retired, and the rest when its call has ended", async () => {
    const gate = Promise.withResolvers<Scene>();
    await using server = serveBidder(({ body }) => (`${body}` === "{}" ? OK : gate.promise));
    const pool = poolTo(server.port);
    const slow = callOf(pool, REQUEST.replace("{}", "[]"));
    await until("the slow call is there", () => server.requests.length === 1);
    expect(await callOf(pool)).toBe("200 {}");
    pool.retire();
    await until("the idle connection is closed", () => server.open() === 1);
    gate.resolve(OK);
    expect(await slow).toBe("200 {}");
    await until("the last connection is closed", () => server.open() === 0);
  });

  test("a call after it was retired is held, on a connection that closes then", async () => {
    await using server = serveBidder(() => OK);
    const pool = poolTo(server.port);
    pool.retire();
    expect(await callOf(pool)).toBe("200 {}");
    await until("its connection is closed", () => server.open() === 0);
  });
});

describe("addresses", () => {
  test("connects to the address that was checked, whatever the name means by then", async () => {
    await using server = serveBidder(() => OK);
    let lookups = 0;
    const lookup = async () => {
      lookups++;
      return lookups === 1 ? ["127.0.0.1"] : ["192.0.2.1"];
    };
    const addresses = createAddressBook({ host: "b.test", egress: { allowPrivate: true }, lookup });
    const pool = poolTo(server.port, { addresses });
    expect(await callOf(pool)).toBe("200 {}");
    expect(lookups).toBe(1);
    expect(server.requests[0]!.head).toContain("host: bidder");
  });

  test("never contacts a private address that a public name means", async () => {
    await using canary = serveBidder(() => OK);
    const lookup = async () => ["127.0.0.1"];
    const addresses = createAddressBook({
      host: "public.test",
      egress: { allowPrivate: false },
      lookup,
    });
    const pool = poolTo(canary.port, { addresses });
    expect(await callOf(pool)).toBe("public.test is 127.0.0.1, which is loopback: not called");
    expect(await callOf(pool)).toContain("not called");
    expect(canary.accepted()).toBe(0);
  });

  test("tries the next address of a name after one that refuses", async () => {
    await using server = serveBidder(() => OK);
    const lookup = async () => ["127.0.0.2", "127.0.0.1"];
    const addresses = createAddressBook({ host: "b.test", egress: { allowPrivate: true }, lookup });
    const pool = poolTo(server.port, { addresses });
    expect(await callOf(pool)).toStartWith("ECONNREFUSED");
    expect(await callOf(pool)).toBe("200 {}");
  });

  test("a name that nobody knows is a failure of the call", async () => {
    const lookup = () => Promise.reject(new Error("no such name"));
    const addresses = createAddressBook({ host: "b.test", egress: { allowPrivate: true }, lookup });
    expect(await callOf(poolTo(1, { addresses }))).toBe("no such name");
  });
});

describe("encrypted connections", () => {
  const tls = { cert: CERTIFICATE, key: KEY };

  test("carry calls to a server whose certificate is for the host", async () => {
    await using server = serveBidder(() => OK, { tls });
    for (const serverName of ["bidder.test", "127.0.0.1"]) {
      const peer = { port: server.port, tls: { serverName, ca: AUTHORITY } };
      const pool = poolTo(server.port, { peer });
      expect([await callOf(pool), await callOf(pool)]).toEqual(["200 {}", "200 {}"]);
    }
    expect(server.accepted()).toBe(2);
  });

  test.each([
    ["another host", { serverName: "other.test", ca: AUTHORITY }],
    ["an authority that is not trusted", { serverName: "bidder.test" }],
  ])("send nothing to a server with a certificate of %s", async (_, peerTls) => {
    await using server = serveBidder(() => OK, { tls });
    const pool = poolTo(server.port, { peer: { port: server.port, tls: peerTls } });
    expect(await callOf(pool)).toStartWith("certificate refused: ");
    expect(server.requests).toEqual([]);
    await until("the connection is closed", () => server.open() === 0);
  });

  test("that do not open in time fail their calls, and the next call opens another one", async () => {
    let isMute = true;
    await using mute = serveBidder(() => OK);
    await using server = serveBidder(() => OK, { tls });
    const peer = { port: 0, tls: { serverName: "bidder.test", ca: AUTHORITY } };
    const pool = createConnectionPool({
      addresses: createAddressBook({ host: "127.0.0.1", egress: { allowPrivate: true } }),
      peer: {
        ...peer,
        get port() {
          return isMute ? mute.port : server.port;
        },
      },
      connectionsMax: 1,
      openMs: 30,
    });
    expect(await callOf(pool)).toBe("not connected within 30 ms");
    await until("the connection is given up", () => mute.open() === 0);
    isMute = false;
    expect(await callOf(pool)).toBe("200 {}");
  });

  test("fail against a server that does not encrypt", async () => {
    await using server = serveBidder(() => OK);
    const peer = { port: server.port, tls: { serverName: "bidder.test", ca: AUTHORITY } };
    const call = callOf(poolTo(server.port, { peer }));
    await until("the server is called", () => server.accepted() === 1);
    server.closeAll();
    expect(await call).toMatch(/^[\x20-\x7e]+$/);
    expect(server.requests).toEqual([]);
  });
});
