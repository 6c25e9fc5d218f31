import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { FAULTS, LIES, NO_BID_FORMS, type Profile } from "../../src/sandbox/profile.ts";
import { startStubProcesses } from "../../src/sandbox/stub-processes.ts";
import { BID_HEADERS, bidRequest } from "../support/bid-requests.ts";
import { childrenOf } from "../support/processes.ts";
import { formatRequest } from "../support/raw-http.ts";
import { profileOf, type Stubs, startStubs } from "../support/stubs.ts";
import { until } from "../support/until.ts";
import { openWire, type Wire } from "../support/wire.ts";

setDefaultTimeout(60_000);

const UNPACKED_MIN = 32 * 1024 * 1024;
const PACKED_MAX = 64 * 1024;

/** Several answers of each that may give more than one. */
const LIVELY = {
  bid_probability: 0.6,
  price: { min: 0.01, max: 9 },
  no_bid: "any",
  misbehaviours: { negative_price: 0.1, server_error: 0.1 },
} as const;

let stubs: Stubs;

beforeAll(async () => {
  const misbehaving = [...LIES, ...FAULTS].map((kind) => [kind, { misbehaviours: { [kind]: 1 } }]);
  const declining = NO_BID_FORMS.map((no_bid) => [no_bid, { no_bid, bid_probability: 0 }]);
  stubs = await startStubs(
    {
      ...Object.fromEntries([...misbehaving, ...declining]),
      plain: { price: 0.87 },
      rough: { price: 0.87, misbehaviours: { hang: 0 } },
      packed: { price: 0.87, gzip: true },
      slow: { latency_ms: 300 },
      "slow-rough": { latency_ms: 300, misbehaviours: { hang: 0 } },
    },
    { processes: 3 },
  );
});
afterAll(() => stubs[Symbol.asyncDispose]());

interface AskOptions {
  body?: string | Uint8Array<ArrayBuffer>;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

function ask(id: string, options: AskOptions = {}, from = stubs): Promise<Response> {
  const { body = JSON.stringify(bidRequest()), headers, ...rest } = options;
  return fetch(from.endpoint(id), {
    method: "POST",
    headers: { ...BID_HEADERS, ...headers },
    body,
    redirect: "manual",
    ...rest,
  });
}

function askOnWire(id: string): Wire {
  const body = JSON.stringify(bidRequest());
  return openWire(
    stubs.port(id),
    formatRequest({ path: "/bid", headers: { ...BID_HEADERS }, body }),
  );
}

const bodyOf = (text: string) => text.slice(text.indexOf("\r\n\r\n") + 4);
const isHeadWhole = (wire: Wire) => wire.received().includes("\r\n\r\n");
const declaredLength = (wire: Wire) =>
  Number(/\r\ncontent-length: (\d+)/i.exec(wire.received())?.[1]);

/** What a bidder says that has its manners, here and there the same. */
const GOOD_BID = {
  id: "auction-1",
  cur: "USD",
  seatbid: [{ bid: [{ impid: "1", price: 0.87 }] }],
};

describe("a bidder with manners", () => {
  test.each(["plain", "rough", "packed"])("bids: %s", async (id) => {
    const answer = await ask(id);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-openrtb-version")).toBe("2.6");
    const seatbid = [{ ...GOOD_BID.seatbid[0], seat: id }];
    expect(await answer.json()).toMatchObject({ ...GOOD_BID, seatbid });
  });

  test("compresses only for those who can read it", async () => {
    const encodingFor = async (accepted: string) => {
      const answer = await ask("packed", { headers: { "accept-encoding": accepted } });
      expect(await answer.json()).toMatchObject(GOOD_BID);
      return answer.headers.get("content-encoding");
    };
    expect(await encodingFor("gzip, br")).toBe("gzip");
    expect(await encodingFor("identity")).toBeNull();
  });

  test.each(["plain", "rough"])("reads what is compressed: %s", async (id) => {
    const body = Bun.gzipSync(JSON.stringify(bidRequest()));
    const answer = await ask(id, { body, headers: { "content-encoding": "gzip" } });
    expect(await answer.json()).toMatchObject(GOOD_BID);
  });

  test.each(["plain", "rough"])("answers a bad request with 400 and nothing: %s", async (id) => {
    const before = await stubs.counters(id);
    for (const body of ["{", JSON.stringify(bidRequest({ tmax: "soon" })), "\x1f\x8b"]) {
      const answer = await ask(id, { body });
      expect([answer.status, await answer.text()]).toEqual([400, ""]);
    }
    const encoded = { "content-encoding": "gzip" };
    expect((await ask(id, { headers: encoded })).status).toBe(400);
    const unversioned = { "x-openrtb-version": "" };
    expect((await ask(id, { headers: unversioned })).status).toBe(400);
    const after = await stubs.counters(id);
    expect(after.bad_requests - before.bad_requests).toBe(5);
    expect(after.last_problem).toStartWith("x-openrtb-version: ");
    expect(after.answers).toEqual(before.answers);
  });

  test("may take its time, and others of its process do not wait for it", async () => {
    const done: string[] = [];
    const note = (id: string) => ask(id).then(() => done.push(id));
    await Promise.all([note("slow"), note("slow-rough"), note("plain"), note("rough")]);
    expect(done.slice(0, 2).sort()).toEqual(["plain", "rough"]);
  });

  test.each(["slow", "slow-rough"])("notices who does not wait for it: %s", async (id) => {
    const before = await stubs.counters(id);
    const rises = (field: "requests" | "aborted") => async () =>
      (await stubs.counters(id))[field] === before[field] + 1;
    const leaving = new AbortController();
    const answer = ask(id, { signal: leaving.signal });
    await until("the request is there", rises("requests"));
    leaving.abort();
    expect(answer).rejects.toThrow();
    await until("it notices", rises("aborted"));
  });

  test.each(NO_BID_FORMS)("declines in the form %s", async (form) => {
    const answer = await ask(form);
    expect(answer.status).toBe(form === "no_content" ? 204 : 200);
    const text = await answer.text();
    const isIdNamed = form !== "no_content" && form !== "empty_object";
    expect(text.includes('"id":"auction-1"')).toBe(isIdNamed);
    expect(text.includes('"seatbid":[]')).toBe(form.startsWith("empty_seatbid"));
    expect(text.includes('"nbr":')).toBe(form.endsWith("nbr"));
  });

  test.each(["plain", "rough"])("counts connections, not requests: %s", async (id) => {
    const before = await stubs.counters(id);
    for (let i = 0; i < 50; i++) await (await ask(id)).text();
    const after = await stubs.counters(id);
    expect(after.requests - before.requests).toBe(50);
    expect(after.connections - before.connections).toBeLessThanOrEqual(1);
    using first = askOnWire(id);
    using second = askOnWire(id);
    await until("both answered", () => isHeadWhole(first) && isHeadWhole(second));
    expect((await stubs.counters(id)).connections).toBe(after.connections + 2);
  });

  test.each(["plain", "rough"])("has nothing at other paths: %s", async (id) => {
    const url = stubs.endpoint(id);
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}s`, { method: "POST" })).status).toBe(404);
  });
});

describe("a bidder that lies", () => {
  test.each(LIES)("%s", async (kind) => {
    const answer = await ask(kind);
    const text = await answer.text();
    switch (kind) {
      case "server_error":
        return expect(answer.status).toBe(503);
      case "redirect":
        expect(answer.headers.get("location")).toBe("/redirected");
        return expect(answer.status).toBe(302);
      case "malformed_json":
        expect(text).toStartWith('{"id":"auction-1"');
        return expect(() => JSON.parse(text)).toThrow();
      case "wrong_id":
        return expect(text).toContain('"id":"not-auction-1"');
      case "wrong_impid":
        return expect(text).toContain('"impid":"not-1"');
      case "wrong_seat":
        return expect(text).toContain('"seat":"not-wrong_seat"');
      case "negative_price":
        return expect(text).toContain('"price":-1,');
      case "string_price":
        return expect(text).toContain('"price":"1",');
      case "nan_price":
        return expect(text).toContain('"price":NaN,');
      case "infinite_price":
        return expect(text).toContain('"price":1e309,');
      case "excessive_price":
        return expect(text).toContain('"price":1000000,');
      case "foreign_currency":
        return expect(text).toContain('"cur":"EUR"');
      case "two_bids":
        return expect(JSON.parse(text).seatbid[0].bid).toHaveLength(2);
    }
  });

  test("knows who has followed its redirect", async () => {
    const before = (await stubs.counters("redirect")).redirects_followed;
    await (await ask("redirect")).text();
    expect((await stubs.counters("redirect")).redirects_followed).toBe(before);
    await fetch(stubs.endpoint("redirect"), {
      method: "POST",
      headers: BID_HEADERS,
      body: JSON.stringify(bidRequest()),
    });
    expect((await stubs.counters("redirect")).redirects_followed).toBe(before + 1);
  });
});

describe("a bidder that breaks the connection", () => {
  /** It has taken the request; what it does about it is on its way. */
  const isTaken = (id: string) => async () => (await stubs.counters(id)).requests >= 1;
  const hasNoticed = (id: string) => async () => (await stubs.counters(id)).aborted >= 1;

  test("hang: not a byte comes, and it stays", async () => {
    using wire = askOnWire("hang");
    await until("the request is there", isTaken("hang"));
    await Bun.sleep(200); // Nothing can be waited for: nothing is what comes.
    expect([wire.received(), wire.end()]).toEqual(["", undefined]);
    wire[Symbol.dispose]();
    await until("it notices that the client left", hasNoticed("hang"));
  });

  test("hang_after_headers: a whole head, and not a byte of the body", async () => {
    using wire = askOnWire("hang_after_headers");
    await until("the head", () => isHeadWhole(wire));
    await Bun.sleep(200);
    expect(wire.received()).toStartWith("HTTP/1.1 200 ");
    expect(declaredLength(wire)).toBeGreaterThan(50);
    expect([bodyOf(wire.received()), wire.end()]).toEqual(["", undefined]);
  });

  test("drip: a good bid, a byte at a time", async () => {
    using wire = askOnWire("drip");
    await until("ten bytes", () => bodyOf(wire.received()).length >= 10 && isHeadWhole(wire));
    expect(wire.pieces().length).toBeGreaterThanOrEqual(10);
    const good = '{"id":"auction-1","cur":"USD",';
    expect(good).toStartWith(bodyOf(wire.received()).slice(0, 10));
    expect(declaredLength(wire)).toBeGreaterThan(50);
    wire[Symbol.dispose]();
    await until("it notices that the client left", hasNoticed("drip"));
  });

  test("reset: not a byte, but a RST", async () => {
    using wire = askOnWire("reset");
    await until("the end", () => wire.end() !== undefined);
    expect([wire.received(), wire.end()]).toEqual(["", "reset"]);
    expect((await stubs.counters("reset")).aborted).toBe(0);
  });

  test("reset_mid_body: half of what the head promises, then a RST", async () => {
    using wire = askOnWire("reset_mid_body");
    await until("the end", () => wire.end() !== undefined);
    expect(wire.end()).toBe("reset");
    expect(bodyOf(wire.received()).length).toBe(Math.floor(declaredLength(wire) / 2));
  });

  test("huge_body: no length, and more than anybody should read", async () => {
    using wire = askOnWire("huge_body");
    await until("a mebibyte", () => wire.received().length > 1024 * 1024);
    expect(wire.received()).toStartWith("HTTP/1.1 200 ");
    expect(declaredLength(wire)).toBeNaN();
    expect(wire.received()).toContain('"id":"auction-1"');
    wire[Symbol.dispose]();
    await until("it notices that the client left", hasNoticed("huge_body"));
  });

  test("gzip_bomb: under 64 KiB on the wire, 32 MiB when unpacked", async () => {
    using wire = askOnWire("gzip_bomb");
    const isWhole = () => bodyOf(wire.received()).length === declaredLength(wire);
    await until("the whole body", () => isHeadWhole(wire) && isWhole());
    expect(wire.received()).toMatch(/\r\ncontent-encoding: gzip\r\n/i);
    const packed = Buffer.from(bodyOf(wire.received()), "latin1");
    expect(packed.length).toBeLessThan(PACKED_MAX);
    expect(Bun.gunzipSync(packed).length).toBeGreaterThan(UNPACKED_MIN);
  });
});

describe("a seed", () => {
  async function hear(seed: number, processes: number): Promise<Record<string, string[]>> {
    const profiles = { b1: LIVELY, b2: LIVELY, b3: { ...LIVELY, misbehaviours: { hang: 0 } } };
    await using own = await startStubs(profiles, { seed, processes });
    const heard: Record<string, string[]> = {};
    for (const id of Object.keys(profiles)) {
      heard[id] = [];
      for (let i = 0; i < 40; i++) {
        const answer = await ask(id, {}, own);
        heard[id].push(`${answer.status} ${await answer.text()}`);
      }
    }
    return heard;
  }

  test("makes the same answers in the same order, in however many processes", async () => {
    const first = await hear(7, 1);
    expect(await hear(7, 3)).toEqual(first);
    expect(new Set(first.b1).size).toBeGreaterThan(10);
    expect(first.b1).not.toEqual(first.b2!);
    expect(await hear(8, 1)).not.toEqual(first);
  });
});

describe("the processes", () => {
  test("say why one of them could not start, and none is left", async () => {
    const good = { id: "b1", seat: "b1", seed: 1, profile: profileOf({}) };
    const bad = { ...good, id: "b2", profile: null as unknown as Profile };
    const before = childrenOf(process.pid).map((child) => child.pid);
    expect(startStubProcesses([good, bad], 2)).rejects.toThrow("stub bidders did not start: ");
    await until("nobody is left", () =>
      childrenOf(process.pid).every(({ pid }) => before.includes(pid)),
    );
  });

  test("share the bidders, and are gone at the end", async () => {
    const own = await startStubs({ b1: {}, b2: {}, b3: {} }, { processes: 2 });
    expect(own.pids).toHaveLength(2);
    expect(own.pids).not.toContain(process.pid);
    await own[Symbol.asyncDispose]();
    for (const pid of own.pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});
