import { describe, expect, test } from "bun:test";
import { MailboxFullError } from "../../src/actor/actor.ts";
import type { HeldAuction, Offer } from "../../src/auction/auctioneer.ts";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { type BidRouteOptions, createBidRoute } from "../../src/http/bid.ts";
import { createBidReader } from "../../src/http/bid-request.ts";
import { createClientAddresses } from "../../src/http/client-address.ts";
import type { Sockets } from "../../src/http/pending-bid.ts";
import { createRequestIds } from "../../src/http/request-id.ts";
import { LimiterClosedError } from "../../src/limiter/fallback.ts";
import type { Verdict } from "../../src/limiter/limiter.ts";
import { holdScripted } from "../support/auctions.ts";
import { until } from "../support/until.ts";

const catalog = buildCatalog(
  {
    supplies: { supply1: ["b1", "b2"] },
    bidders: { b1: { country: "US" }, b2: { country: "GB" } },
  },
  1,
);
const supply = catalog.supplies.get("supply1")!;
const readBid = createBidReader(5_000);
const SOCKETS = { requestIP: () => ({ address: "192.0.2.7" }) };
const ADMITTED: Verdict = { isAdmitted: true, remaining: 2, resetMs: 59_999.5 };
const REFUSED: Verdict = { isAdmitted: false, remaining: 0, resetMs: 41_000.25 };

const WON = await holdScripted(supply, {
  answers: { b1: { kind: "bid", priceMicros: 420_000 } },
});
/** An auction that the US bidder won for 0.42, but for what is given. */
const outcomeWith = (given: Partial<HeldAuction> = {}): HeldAuction => ({ ...WON, ...given });

type Given = Partial<BidRouteOptions> & {
  admit?: (client: string) => Verdict | Promise<Verdict>;
  hold?: (offer: Offer) => Promise<HeldAuction | undefined>;
  limiterHasRoom?: boolean;
  auctioneerHasRoom?: boolean;
};

/** The route on plain functions: admits, and the US bidder wins for 0.42, but for what is given. */
function bidRoute(given: Given = {}) {
  const { admit = () => ADMITTED, hold = async () => outcomeWith() } = given;
  const { limiterHasRoom = true, auctioneerHasRoom = true, ...options } = given;
  const admitted: string[] = [];
  const offers: Offer[] = [];
  const places = { reserved: 0, released: 0 };
  let verdict: Verdict | Promise<Verdict>;
  let expire = () => {};
  const route = createBidRoute({
    requestIdOf: createRequestIds("p"),
    clients: createClientAddresses([]),
    catalog: () => catalog,
    canRecord: () => true,
    limiter: {
      admit(client) {
        admitted.push(client);
        verdict = admit(client);
        return verdict instanceof Promise ? undefined : verdict;
      },
      ask(_, asker) {
        (verdict as Promise<Verdict>).then(
          (reply) => asker.onReply(reply),
          (fault) => asker.onFault(fault),
        );
      },
      hasRoom: () => limiterHasRoom,
    },
    limit: { max: 3, windowMs: 60_000 },
    auctioneer: {
      reserve() {
        if (auctioneerHasRoom) places.reserved++;
        return auctioneerHasRoom;
      },
      release: () => void places.released++,
      hold(offer) {
        offers.push(offer);
        return hold(offer);
      },
      depth: () => 0,
      drain: async () => {},
    },
    deadlines: {
      enter(answer) {
        expire = () => answer.expire();
      },
      stop: () => {},
    },
    tmaxDefaultMs: 200,
    explains: false,
    onHeld: undefined,
    ...options,
  });
  const handleBid = (request: Request, sockets: Sockets) =>
    readBid(request, (read) => route(request, sockets, read));
  return { handleBid, admitted, offers, places, expire: () => expire() };
}

const bidRequest = (body: unknown = { supply_id: "supply1" }, headers = {}, query = "") =>
  new Request(`http://x/bid${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-country": "US", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

/** What any answer may hold. */
interface Body {
  winner?: string;
  price?: number;
  code?: string;
  errors?: { pointer: string }[];
  explain?: unknown;
}

/** The answer of a route to a request, its body parsed. */
async function answerOf(given: Given = {}, request = bidRequest()) {
  const route = bidRoute(given);
  const response = await route.handleBid(request, SOCKETS);
  const headers = Object.fromEntries(response.headers);
  return { ...route, status: response.status, headers, body: (await response.json()) as Body };
}

describe("a bid that is won", () => {
  test("is answered with winner and price, and with nothing but the promised headers", async () => {
    const { status, body, headers } = await answerOf();
    expect(status).toBe(200);
    expect(body).toEqual({ winner: "b1", price: 0.42 });
    expect(headers).toEqual({
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-request-id": "p-1",
      "ratelimit-policy": '"ip";q=3;w=60',
      ratelimit: '"ip";r=2;t=60',
    });
  });

  test("has its price with at most two decimals, for every whole cent", async () => {
    for (let cents = 1; cents <= 100; cents++) {
      const hold = async () => outcomeWith({ clearingPriceMicros: cents * 10_000 });
      const { handleBid } = bidRoute({ hold });
      const text = await (await handleBid(bidRequest(), SOCKETS)).text();
      expect(text).toMatch(/^\{"winner":"b1","price":(1|0\.\d{1,2})\}$/);
      expect(JSON.parse(text).price).toBe(cents / 100);
    }
  });

  test("returns the caller's request id", async () => {
    const { headers } = await answerOf({}, bidRequest(undefined, { "x-request-id": "mine" }));
    expect(headers["x-request-id"]).toBe("mine");
  });

  test("was held for the supply, the country in upper case and the tmax asked for", async () => {
    const { offers, places } = await answerOf(
      {},
      bidRequest({ supply_id: "supply1", tmax: 70 }, { "x-country": "us" }),
    );
    expect(offers).toMatchObject([{ country: "US", tmaxMs: 70 }]);
    expect(offers[0]!.supply).toBe(supply);
    expect(places).toEqual({ reserved: 1, released: 0 }); // The auction gives its place back.
  });

  test("gets the default tmax where it names none", async () => {
    expect((await answerOf()).offers).toMatchObject([{ tmaxMs: 200 }]);
  });

  test("is told to the log once, after it was held", async () => {
    const told: HeldAuction[] = [];
    await answerOf({ onHeld: (outcome) => void told.push(outcome) });
    expect(told).toEqual([outcomeWith()]);
  });

  test("is admitted by the address of its socket", async () => {
    const { admitted } = await answerOf(
      {},
      bidRequest(undefined, { "x-forwarded-for": "1.2.3.4" }),
    );
    expect(admitted).toEqual(["192.0.2.7"]);
  });
});

describe("a bid that is held without a winner", () => {
  test.each([
    ["no_eligible_bidders", { eligible: [], states: [], answers: [] }],
    ["no_bids", { states: [2] as const, answers: [{ kind: "noBid" }] as const }],
  ])("is answered %s, with the quota that it used", async (code, given) => {
    const told: HeldAuction[] = [];
    const hold = async () => outcomeWith({ ...given, winner: -1, clearingPriceMicros: 0 });
    const { status, body, headers } = await answerOf({ hold, onHeld: (o) => void told.push(o) });
    expect([status, body.code]).toEqual([400, code]);
    expect(headers).toMatchObject({
      "ratelimit-policy": '"ip";q=3;w=60',
      ratelimit: '"ip";r=2;t=60',
    });
    expect(told.length).toBe(1);
  });
});

/** Requests that are refused before the limiter, each worse than the one after it. */
const withoutCountry = { "x-country": "?" };
const REFUSALS: [code: string, status: number, request: () => Request, given: Given][] = [
  [
    "unsupported_media_type",
    415,
    () => bidRequest("{", { "content-type": "text/plain", ...withoutCountry }),
    { auctioneerHasRoom: false },
  ],
  ["malformed_json", 400, () => bidRequest("{", withoutCountry), { auctioneerHasRoom: false }],
  [
    "invalid_request",
    422,
    () => bidRequest({ supply_id: "nowhere" }, withoutCountry),
    { auctioneerHasRoom: false },
  ],
  ["invalid_request", 422, () => bidRequest({ supply_id: 7 }), { auctioneerHasRoom: false }],
  ["unknown_supply", 400, () => bidRequest({ supply_id: "nowhere" }), { auctioneerHasRoom: false }],
  ["unknown_supply", 400, () => bidRequest({ supply_id: "__proto__" }), {}],
  ["unknown_supply", 400, () => bidRequest({ supply_id: "constructor" }), {}],
  ["overloaded", 503, bidRequest, { auctioneerHasRoom: false }],
  ["overloaded", 503, bidRequest, { limiterHasRoom: false }],
  ["overloaded", 503, bidRequest, { canRecord: () => false }],
];

describe("a bid that is refused before the limiter", () => {
  test.each(REFUSALS)(
    "%s (%p) costs no quota, no auction and no place",
    async (code, status, request, given) => {
      const answer = await answerOf({ admit: () => REFUSED, ...given }, request());
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.admitted).toEqual([]);
      expect(answer.offers).toEqual([]);
      expect(answer.places.reserved - answer.places.released).toBe(0);
      expect(answer.headers).toEqual({
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "x-request-id": "p-1",
        ...(status === 503 && { "retry-after": "1" }),
      });
    },
  );

  test("is told every rule that it breaks", async () => {
    const request = bidRequest({ supply_id: "", tmax: 9_999 }, { "x-country": "" });
    const { body } = await answerOf({}, request);
    expect(body.errors?.map(({ pointer }) => pointer)).toEqual([
      "#/supply_id",
      "#/tmax",
      "#/headers/x-country",
    ]);
  });
});

describe("a bid over the limit", () => {
  test("is answered 429 with whole seconds, rounded up, and no auction is held", async () => {
    const { status, body, headers, offers, places } = await answerOf({ admit: () => REFUSED });
    expect([status, body.code]).toEqual([429, "rate_limited"]);
    expect(headers).toEqual({
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": "p-1",
      "ratelimit-policy": '"ip";q=3;w=60',
      ratelimit: '"ip";r=0;t=42',
      "retry-after": "42",
    });
    expect(offers).toEqual([]);
    expect(places).toEqual({ reserved: 1, released: 1 });
  });

  test.each([
    [0.001, "1"],
    [1_000, "1"],
    [1_000.001, "2"],
    [59_999.9, "60"],
  ])("may retry after %p ms in %p s", async (resetMs, seconds) => {
    const { headers } = await answerOf({ admit: async () => ({ ...REFUSED, resetMs }) });
    expect(headers["retry-after"]).toBe(seconds);
    expect(headers.ratelimit).toBe(`"ip";r=0;t=${seconds}`);
  });

  test("is never told of more than the limit, where a batch was admitted without the store", async () => {
    const { headers } = await answerOf({ admit: () => ({ ...ADMITTED, remaining: 26 }) });
    expect(headers.ratelimit).toBe('"ip";r=3;t=60');
  });

  test("is not limited where the limiter is off, nor told of a quota", async () => {
    const { status, headers, admitted } = await answerOf({ limiter: undefined });
    expect([status, admitted]).toEqual([200, []]);
    expect(headers).not.toHaveProperty("ratelimit");
    expect(headers).not.toHaveProperty("ratelimit-policy");
  });
});

describe("a bid that meets a fault", () => {
  test.each([
    ["the limiter's mailbox is full", new MailboxFullError("full")],
    ["the limiter is closed without its store", new LimiterClosedError("away")],
  ])("is overloaded when %s, and gives its place back", async (_, fault) => {
    const { status, body, offers, places } = await answerOf({ admit: () => Promise.reject(fault) });
    expect([status, body.code]).toEqual([503, "overloaded"]);
    expect(offers).toEqual([]);
    expect(places).toEqual({ reserved: 1, released: 1 });
  });

  test("fails when the limiter does otherwise, and gives its place back", async () => {
    const fault = new Error("a bug");
    const { handleBid, places } = bidRoute({ admit: () => Promise.reject(fault) });
    await expect(handleBid(bidRequest(), SOCKETS)).rejects.toBe(fault);
    expect(places).toEqual({ reserved: 1, released: 1 });
  });

  test("fails, and is not logged as held, when its outcome cannot be recorded", async () => {
    const told: HeldAuction[] = [];
    const fault = new Error("journal full");
    const { handleBid } = bidRoute({
      hold: () => Promise.reject(fault),
      onHeld: (outcome) => void told.push(outcome),
    });
    await expect(handleBid(bidRequest(), SOCKETS)).rejects.toBe(fault);
    expect(told).toEqual([]);
  });
});

describe("a bid that takes too long", () => {
  test("is answered 503 deadline, and its auction learns that nobody waits", async () => {
    const held = Promise.withResolvers<HeldAuction | undefined>();
    const { handleBid, offers, expire } = bidRoute({ hold: () => held.promise });
    const answered = handleBid(bidRequest(), SOCKETS);
    while (offers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(offers[0]!.isAbandoned).toBe(false);
    expire();
    const response = await answered;
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ code: "deadline", request_id: "p-1" });
    expect(offers[0]!.isAbandoned).toBe(true);
  });

  test.each<[string, (asked: PromiseWithResolvers<Verdict>) => void]>([
    ["admits", (asked) => asked.resolve(ADMITTED)],
    ["refuses", (asked) => asked.resolve(REFUSED)],
    ["fails", (asked) => asked.reject(new Error("away"))],
  ])(
    "is answered 503 deadline when the limiter %s later, and gives its place back",
    async (_, end) => {
      const asked = Promise.withResolvers<Verdict>();
      const { handleBid, admitted, offers, places, expire } = bidRoute({
        admit: () => asked.promise,
        async hold({ isAbandoned }) {
          if (isAbandoned) places.released++; // As an auctioneer does.
          return undefined;
        },
      });
      const answered = handleBid(bidRequest(), SOCKETS);
      await until("the limiter is asked", () => admitted.length > 0);
      expire();
      expect((await answered).status).toBe(503);
      end(asked);
      await until("its place is free", () => places.released > 0);
      await new Promise((resolve) => setImmediate(resolve));
      expect(places).toEqual({ reserved: 1, released: 1 });
      expect(offers.every(({ isAbandoned }) => isAbandoned)).toBe(true);
    },
  );

  test("is answered 503 deadline, and not logged, when its auction was given up", async () => {
    const told: HeldAuction[] = [];
    const { status, body } = await answerOf({
      hold: async () => undefined,
      onHeld: (outcome) => void told.push(outcome),
    });
    expect([status, body.code, told.length]).toEqual([503, "deadline", 0]);
  });
});

describe("an explanation", () => {
  const asking = (query: string) => bidRequest(undefined, {}, query);
  const held = {
    auction_id: "auction-1",
    catalog_version: 7,
    auction: "first_price",
    floor: 0,
    tmax_ms: 100,
    elapsed_ms: 0,
  };
  const nobody = { code: null, price: null, latency_ms: null };
  const b2 = { bidder: "b2", state: "not_asked", ...nobody, reason: "bids for GB, not for US" };

  test("is added to the answer of who asks for it", async () => {
    const { body } = await answerOf({ explains: true }, asking("?explain=1"));
    const b1 = { bidder: "b1", state: "won", code: 0, price: 0.42, latency_ms: 0 };
    const bidders = [{ ...b1, reason: "highest bid, pays 0.42" }, b2];
    expect(body).toEqual({ winner: "b1", price: 0.42, explain: { ...held, bidders } });
  });

  test.each([
    ["no_bids", "US", { b1: { kind: "noBid", nbr: 2 } }] as const,
    ["no_eligible_bidders", "FR", {}] as const,
  ])("is added to the problem %s", async (code, country, answers) => {
    const hold = () => holdScripted(supply, { country, answers });
    const { body } = await answerOf({ explains: true, hold }, asking("?a=b&explain=1"));
    expect(body).toMatchObject({ code, request_id: "p-1", explain: held });
    const { bidders } = body.explain as { bidders: { state: string }[] };
    const states = bidders.map(({ state }) => state);
    expect(states).toEqual([code === "no_bids" ? "no_bid" : "not_asked", "not_asked"]);
  });

  test.each(["", "?explain=0", "?explain=10", "?explain", "?why=explain=1", "?xexplain=1"])(
    "is not added for the query %p",
    async (query) => {
      const { body } = await answerOf({ explains: true }, asking(query));
      expect(Object.keys(body)).toEqual(["winner", "price"]);
    },
  );

  test.each(["/bid?explain=1", "http://[/bid?explain=1", "http://a:99999/bid?explain=1"])(
    "is given whatever host the client has named: %p",
    async (url) => {
      const request = Object.defineProperty(asking(""), "url", { value: url });
      const { status, body, places } = await answerOf({ explains: true }, request);
      expect({ status, places }).toEqual({ status: 200, places: { reserved: 1, released: 0 } });
      expect(body.explain).toMatchObject(held);
    },
  );

  test("is not given where the setting does not allow it", async () => {
    const { body } = await answerOf({ explains: false }, asking("?explain=1"));
    expect(Object.keys(body)).toEqual(["winner", "price"]);
  });

  test("has the times in tenths of a millisecond", async () => {
    const hold = async () => outcomeWith({ latenciesMs: [12.345], elapsedMs: 37.21 });
    const { body } = await answerOf({ explains: true, hold }, asking("?explain=1"));
    expect(body.explain).toMatchObject({ elapsed_ms: 37.2, bidders: [{ latency_ms: 12.3 }, {}] });
  });
});

describe("what an auction may know of its request", () => {
  test("is the whole address and the user agent", async () => {
    const { offers } = await answerOf({}, bidRequest(undefined, { "user-agent": "agent/1" }));
    expect(offers[0]!.device()).toEqual({ ip: "192.0.2.7", userAgent: "agent/1" });
    expect((await answerOf()).offers[0]!.device().userAgent).toBeUndefined();
  });

  test("is when its client has gone", async () => {
    const client = new AbortController();
    const request = new Request(bidRequest(), { signal: client.signal });
    const { offers } = await answerOf({}, request);
    let hasGone = false;
    offers[0]!.onClientGone(() => {
      hasGone = true;
    });
    expect(hasGone).toBe(false);
    client.abort();
    expect(hasGone).toBe(true);
    let hadGone = false;
    offers[0]!.onClientGone(() => {
      hadGone = true;
    });
    expect(hadGone).toBe(true);
  });

  test("is when it arrived, before the limiter was asked", async () => {
    let nowMs = 5;
    const admit = async () => {
      nowMs = 40;
      return ADMITTED;
    };
    const { offers } = await answerOf({ admit, now: () => nowMs });
    expect(offers).toMatchObject([{ arrivedAtMs: 5 }]);
  });
});

test("a bid is held on the catalog of its moment", async () => {
  let current = catalog;
  const { handleBid, offers } = bidRoute({ catalog: () => current });
  await handleBid(bidRequest(), SOCKETS);
  current = buildCatalog({ supplies: {}, bidders: {} }, 2);
  const response = await handleBid(bidRequest(), SOCKETS);
  expect(await response.json()).toMatchObject({ code: "unknown_supply" });
  expect(offers.length).toBe(1);
});

test("every refusal stays within its size with the longest request id", async () => {
  const id = "x".repeat(64);
  for (const [code, , request, given] of REFUSALS) {
    const refused = request();
    refused.headers.set("x-request-id", id);
    const { handleBid } = bidRoute(given);
    const size = (await (await handleBid(refused, SOCKETS)).bytes()).length;
    expect(size).toBeLessThanOrEqual(code === "invalid_request" ? 2_048 : 512);
  }
});
