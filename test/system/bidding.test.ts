import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { FAULTS, LIES, NO_BID_FORMS, type Profile } from "../../src/sandbox/profile.ts";
import {
  type ExplainedAuction,
  type ExplainedBidder,
  formatAuction,
  startBidding,
  statesOf,
} from "../support/bidding.ts";
import { readStat } from "../support/ledger.ts";
import { openSocket } from "../support/raw-sockets.ts";
import { STORES, startStore } from "../support/stores.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const CONNECTIONS = 12;
const TMAX_MS = 100;
/** So much that who answers at once is back, whatever else the machine has to do. */
const AMPLE_MS = 500;
const HONEST = { profile: { price: 0.87 } };

/** What the misbehaviours become when they are not refused beforehand. */
const ENDS: Readonly<Record<string, ExplainedBidder["state"]>> = {
  ...Object.fromEntries(LIES.map((kind) => [kind, "invalid"])),
  server_error: "error",
  redirect: "error",
  reset: "error",
  reset_mid_body: "error",
  huge_body: "error",
  gzip_bomb: "error",
  hang: "timeout",
  hang_after_headers: "timeout",
  drip: "timeout",
};

const always = (kind: string): { profile: Partial<Profile> } => ({
  profile: { misbehaviours: { [kind]: 1 } },
});

describe("bidders that misbehave", () => {
  const kinds = [...LIES, ...FAULTS];

  test("cost the others nothing, and each ends as what it did", async () => {
    const misbehaving = Object.fromEntries(kinds.map((kind) => [kind, always(kind)]));
    const entry = { country: "US", seat: "wrong_seat" };
    await using bidding = await startBidding({
      bidders: {
        ...misbehaving,
        wrong_seat: { ...always("wrong_seat"), entry },
        honest: HONEST,
      },
      supplies: { s1: { bidders: [...kinds, "honest"] } },
    });
    const workers = bidding.exchange.workerPids();
    const options = { supplyOf: () => "s1", connections: CONNECTIONS, tmax: AMPLE_MS };
    const auctions = await bidding.holdAuctions(300, options);
    for (const { winner, price, explain } of auctions) {
      expect([winner, price]).toEqual(["honest", 0.87]);
      expect(explain.bidders).toHaveLength(kinds.length + 1);
    }
    const states = statesOf(auctions);
    for (const kind of kinds) {
      const ends = new Set(states.get(kind)!.keys());
      ends.delete("not_asked"); // Its breaker has opened.
      expect([...ends], kind).toEqual([ENDS[kind]!]);
      expect((await bidding.stubs.counters(kind)).bad_requests, kind).toBe(0);
    }
    const redirect = await bidding.stubs.counters("redirect");
    expect(redirect.requests).toBeGreaterThan(0);
    expect(redirect.redirects_followed).toBe(0);
    expect(bidding.exchange.workerPids()).toEqual(workers);
    expect(await bidding.exchange.stop()).toEqual({ code: 0, signal: null });
  });
});

describe("what bidders are sent and answer", () => {
  test("is OpenRTB 2.6 for every placement, plain and compressed; a no-bid has five forms", async () => {
    const declining = NO_BID_FORMS.map((no_bid) => [
      no_bid,
      { profile: { no_bid, bid_probability: 0 } },
    ]);
    const gzip = { country: "US", gzip: true };
    const members = [...NO_BID_FORMS, "honest", "packed"];
    await using bidding = await startBidding({
      bidders: {
        ...Object.fromEntries(declining),
        honest: HONEST,
        packed: { profile: { price: 0.5, gzip: true }, entry: gzip },
      },
      supplies: {
        plain: { bidders: members },
        banner: {
          bidders: members,
          floor: 0.6,
          auction: "second_price",
          imp: { banner: { format: [{ w: 300, h: 250 }] } },
          domain: "news.example",
        },
        video: { bidders: members, imp: { video: { mimes: ["video/mp4"] } } },
        native: {
          bidders: members,
          imp: { native: { request: "{}" } },
          app: { bundle: "com.example.app" },
        },
      },
    });
    const supplies = ["plain", "banner", "video", "native"];
    const options = { supplyOf: (n: number) => supplies[n % 4]!, connections: CONNECTIONS };
    const auctions = await bidding.holdAuctions(400, options);
    const states = statesOf(auctions);
    for (const form of NO_BID_FORMS) {
      expect([...states.get(form)!], form).toEqual([["no_bid", 400]]);
    }
    expect([...states.get("honest")!]).toEqual([["won", 400]]);
    expect([...states.get("packed")!]).toEqual([["lost", 400]]);
    for (const id of members) {
      const { requests, bad_requests, last_problem } = await bidding.stubs.counters(id);
      expect([id, requests, bad_requests, last_problem]).toEqual([id, 400, 0, null]);
    }
  });

  test("goes over connections that stay open", async () => {
    await using bidding = await startBidding({
      bidders: { honest: HONEST, other: HONEST },
      supplies: { s1: { bidders: ["honest", "other"] } },
    });
    const options = { supplyOf: () => "s1", connections: CONNECTIONS };
    await bidding.holdAuctions(6_000, options);
    for (const id of ["honest", "other"]) {
      const { requests, connections } = await bidding.stubs.counters(id);
      expect(requests).toBe(6_000);
      expect(connections / requests).toBeLessThan(0.01);
    }
  });
});

describe("a deadline", () => {
  test("decides among those who are back, with one that hangs among ten", async () => {
    // A breaker stops asking who hangs, so that each supply has one of its own for a while.
    const supplies = Array.from({ length: 12 }, (_, n) => `s${n}`);
    const healthy = Array.from({ length: 9 }, (_, n) => `b${n}`);
    const hung = supplies.map((id) => [`hung-${id}`, always("hang")]);
    await using bidding = await startBidding({
      bidders: {
        ...Object.fromEntries(healthy.map((id) => [id, HONEST])),
        ...Object.fromEntries(hung),
      },
      supplies: {
        warm: { bidders: healthy },
        ...Object.fromEntries(supplies.map((id) => [id, { bidders: [...healthy, `hung-${id}`] }])),
      },
    });
    await bidding.holdAuctions(1_200, { supplyOf: () => "warm", connections: CONNECTIONS });
    const options = {
      supplyOf: (n: number) => supplies[n % supplies.length]!,
      connections: CONNECTIONS,
      tmax: AMPLE_MS,
    };
    const auctions = await bidding.holdAuctions(240, options);
    for (const { winner, price } of auctions) expect([winner, price]).toEqual(["b0", 0.87]);
    const waited = auctions.filter(({ explain }) => explain.bidders.at(-1)!.state === "timeout");
    // A breaker opens after five: at least those of one worker.
    expect(waited.length).toBeGreaterThanOrEqual(5 * supplies.length);
    expect(waited.every(({ explain }) => explain.elapsed_ms >= AMPLE_MS - 1)).toBe(true);
    const late = waited.map(({ tookMs }) => tookMs - AMPLE_MS).sort((a, b) => a - b);
    const [median, p99] = [0.5, 0.99].map((share) => late[Math.floor(late.length * share)]!);
    console.info(
      `one of ten hangs: ${late.length} answers, ${median!.toFixed(1)} ms after tmax at the ` +
        `median, ${p99!.toFixed(1)} ms at p99`,
    );
  });
});

describe("GET /stat", () => {
  const misbehaviours = { server_error: 0.2, negative_price: 0.2, hang: 0.02 };
  const lively = { bid_probability: 0.7, price: { min: 0.1, max: 2 } };
  const members = ["b1", "b2", "b3", "b4"];
  const setup = {
    bidders: {
      b1: { profile: lively },
      b2: { profile: { ...lively, misbehaviours, no_bid: "any" as const } },
      b3: { profile: { ...lively, misbehaviours } },
      b4: { profile: { ...lively, latency_ms: { min: 0, max: 60 } } },
    },
    supplies: {
      s1: { bidders: members, floor: 0.5, auction: "second_price" as const },
    },
  };

  /** What the counters of a bidder must be after these auctions, none of which failed. */
  function countersOf(id: string, auctions: readonly ExplainedAuction[]) {
    const states = statesOf(auctions).get(id)!;
    const told = (state: ExplainedBidder["state"]) => states.get(state) ?? 0;
    const revenue = auctions
      .filter(({ winner }) => winner === id)
      .reduce((sum, { price }) => sum + Math.round(price! * 100), 0);
    return {
      wins: told("won"),
      total_revenue: revenue / 100,
      no_bids: told("no_bid"),
      timeouts: told("timeout"),
      errors: told("error"),
      invalid: told("invalid"),
      bids: told("won") + told("lost"),
    };
  }

  test("adds up to what every bidder of every auction was told to have done", async () => {
    await using bidding = await startBidding(setup);
    const options = { supplyOf: () => "s1", connections: CONNECTIONS, tmax: 50 };
    const auctions = await bidding.holdAuctions(1_500, options);
    const { s1 } = await readStat(bidding.exchange.url);
    expect(s1!.total_reqs).toBe(1_500);
    const states = statesOf(auctions);
    for (const id of members) {
      expect(s1!.bidders[id], id).toEqual(countersOf(id, auctions));
      // Whoever was asked has seen a request for it.
      const { requests } = await bidding.stubs.counters(id);
      expect(requests).toBe(1_500 - (states.get(id)!.get("not_asked") ?? 0));
    }
    const seen = [...states.values()].flatMap((counts) => [...counts.keys()]);
    const wanted = ["won", "lost", "no_bid", "timeout", "error", "invalid"];
    expect(seen).toEqual(expect.arrayContaining(wanted));
  });

  test.each(STORES)(
    "adds up also when every worker is killed before it has counted: %s",
    async (kind) => {
      await using store = await startStore(kind);
      await using bidding = await startBidding({
        ...setup,
        env: { STATS_FLUSH_MS: "60000", ...store.env },
      });
      const options = { supplyOf: () => "s1", connections: CONNECTIONS, tmax: 50 };
      const auctions = await bidding.holdAuctions(300, options);
      for (const pid of bidding.exchange.workerPids()) process.kill(pid, "SIGKILL");
      const { exchange } = bidding;
      // The kernel spreads few connections as it likes: not each of the three has had one.
      const asked = new Set(auctions.map(({ worker }) => worker)).size;
      await until("others have begun", () => exchange.printed("journal of an ended") === asked);
      const isOpen = () =>
        fetch(`${exchange.url}/livez`).then(
          ({ ok }) => ok,
          () => false,
        );
      await until("they listen", isOpen);
      auctions.push(...(await bidding.holdAuctions(100, options)));
      const { s1 } = await readStat(bidding.exchange.url);
      expect(s1!.total_reqs).toBe(400);
      for (const id of members) expect(s1!.bidders[id], id).toEqual(countersOf(id, auctions));
    },
  );
});

describe("a client that leaves", () => {
  test("takes its calls with it", async () => {
    await using bidding = await startBidding({
      bidders: { slow: { profile: { latency_ms: 60_000 } }, hang: always("hang") },
      supplies: { s1: { bidders: ["slow", "hang"] } },
      env: { TMAX_MAX: "60000" },
    });
    const { stubs } = bidding;
    const client = await openSocket(bidding.exchange.port);
    client.send(formatAuction("s1", 60_000));
    const both = (field: "requests" | "aborted") => async () =>
      (await stubs.counters("slow"))[field] === 1 && (await stubs.counters("hang"))[field] === 1;
    await until("both are asked", both("requests"));
    client.close();
    await until("both are told that nobody waits", both("aborted"));
  });
});

describe("a bidder that stands still", () => {
  test("is soon not asked any more, is tried now and then, and is asked again when it is back", async () => {
    await using bidding = await startBidding({
      bidders: { honest: HONEST, still: { profile: { price: 2 } } },
      supplies: { s1: { bidders: ["honest", "still"] } },
      env: { WORKERS: "1" },
      processes: 2,
    });
    const { stubs } = bidding;
    const hold = async () => {
      const [auction] = await bidding.holdAuctions(1, { supplyOf: () => "s1", tmax: TMAX_MS });
      const { state, reason } = auction!.explain.bidders[1]!;
      return { winner: auction!.winner, state, reason };
    };
    expect(await hold()).toMatchObject({ winner: "still", state: "won" });
    const [pid] = stubs.pids.slice(1);
    process.kill(pid!, "SIGSTOP");
    try {
      await until("it is not asked", async () => {
        const { winner, state } = await hold();
        expect(winner).toBe("honest");
        return state === "not_asked";
      });
      const { state, reason } = await hold();
      expect(state).toBe("not_asked");
      expect(reason).toStartWith("breaker open, last failure: no answer within ");
      await until("it is tried again", async () => (await hold()).state === "timeout");
      expect((await hold()).state).toBe("not_asked");
    } finally {
      process.kill(pid!, "SIGCONT");
    }
    await until("it wins again", async () => (await hold()).state === "won");
    expect(await hold()).toMatchObject({ winner: "still", state: "won" });
  });
});

describe("a new catalog", () => {
  test("keeps the connections to the bidders that it still has", async () => {
    await using bidding = await startBidding({
      bidders: { honest: HONEST, other: HONEST },
      supplies: { s1: { bidders: ["honest"] } },
      env: { WORKERS: "1" },
    });
    const { exchange, stubs } = bidding;
    const options = { supplyOf: () => "s1" };
    await bidding.holdAuctions(100, options);
    bidding.writeCatalog({ s1: { bidders: ["other", "honest"], floor: 0.5 } });
    await until("the catalog is read", () => exchange.printed("catalog reloaded") === 1);
    const auctions = await bidding.holdAuctions(100, options);
    expect(auctions.at(-1)).toMatchObject({ winner: "other", explain: { catalog_version: 2 } });
    const { requests, connections } = await stubs.counters("honest");
    expect([requests, connections]).toEqual([200, 1]);
  });
});
