import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { type BidResponse, NO_BID } from "../auction/bidder.ts";
import { LossCode } from "../auction/loss-code.ts";
import { ruleOf } from "../json-fault.ts";
import { toMicros } from "./price.ts";
import { plain, quoted } from "./reason.ts";

/** The impression of every bid request of ours: there is one. */
export const IMP_ID = "1";

/* OpenRTB 2.6, 4.2.1 to 4.2.3, as far as it is read: what is more is tolerated (2.6). */
const BidSchema = Type.Object({ id: Type.String(), impid: Type.String(), price: Type.Number() });
const SeatBidSchema = Type.Object({
  seat: Type.Optional(Type.String()),
  bid: Type.Array(BidSchema),
});
const ResponseSchema = Type.Object({
  id: Type.Optional(Type.String()),
  cur: Type.Optional(Type.String()),
  nbr: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  seatbid: Type.Optional(Type.Array(SeatBidSchema)),
});
type Document = Static<typeof ResponseSchema>;
type WireBid = Static<typeof BidSchema>;
const schema = TypeCompiler.Compile(ResponseSchema);

export interface ResponseRules {
  /** The only seat that may bid, where one is named. */
  seat: string | undefined;
  /** CPM: higher prices are mistakes. At most 4,000, so that micros fit 32 bits. */
  priceMax: number;
}

/**
 * What a bidder's JSON means for one auction. Of several bids the highest valid one counts; without
 * a valid one the first fault is told. A currency that is not ours or an id that is not the
 * auction's makes all of it invalid, as do two bids with one id.
 */
export function judgeResponse(text: string, auctionId: string, rules: ResponseRules): BidResponse {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return invalid(LossCode.invalidResponse, `body ${quoted(text)}, expected JSON`);
  }
  if (!schema.Check(document)) return breachOf(document);
  const { id, cur = "USD", seatbid = [] } = document;
  const isNoBid = seatbid.every(({ bid }) => bid.length === 0);
  if (id !== auctionId && !(isNoBid && id === undefined)) {
    return invalid(LossCode.invalidAuctionId, `id ${quoted(id)}, expected ${quoted(auctionId)}`);
  }
  if (isNoBid) return document.nbr === undefined ? NO_BID : { kind: "noBid", nbr: document.nbr };
  if (cur !== "USD")
    return invalid(LossCode.invalidResponse, `cur ${plain(cur, 10)}, expected USD`);
  return bestBid(seatbid, rules);
}

function bestBid(seatbid: NonNullable<Document["seatbid"]>, rules: ResponseRules): BidResponse {
  const ids = new Set<string>();
  let best: Extract<BidResponse, { kind: "bid" }> | undefined;
  let fault: BidResponse | undefined;
  for (const { seat, bid: bids } of seatbid) {
    for (const bid of bids) {
      if (ids.has(bid.id)) {
        return invalid(
          LossCode.invalidResponse,
          `two bids with id ${quoted(bid.id)}, expected one`,
        );
      }
      ids.add(bid.id);
      const judged = judgeBid(bid, seat, rules);
      if (judged.kind !== "bid") fault ??= judged;
      else if (!best || judged.priceMicros > best.priceMicros) best = judged;
    }
  }
  return best ?? fault!;
}

function judgeBid(bid: WireBid, seat: string | undefined, rules: ResponseRules): BidResponse {
  const { impid, price } = bid;
  if (rules.seat !== undefined && seat !== rules.seat) {
    return invalid(LossCode.seatBlocked, `seat ${quoted(seat)}, expected ${quoted(rules.seat)}`);
  }
  if (impid !== IMP_ID) {
    return invalid(LossCode.invalidResponse, `impid ${quoted(impid)}, expected "${IMP_ID}"`);
  }
  if (price > rules.priceMax) return badPrice(price, `at most ${rules.priceMax}`);
  if (price <= 0) return badPrice(price, "above 0");
  const priceMicros = toMicros(price);
  return priceMicros > 0 ? { kind: "bid", priceMicros } : badPrice(price, "at least 0.000001");
}

/** What breaks the schema first, with its place. */
function breachOf(document: unknown): BidResponse {
  const breach = schema.Errors(document).First()!;
  const place = breach.path === "" ? "body" : breach.path.slice(1);
  const isPrice = breach.path.endsWith("/price");
  const code = isPrice ? LossCode.missingPrice : LossCode.invalidResponse;
  const { value } = breach;
  // JSON has no infinity, but it has 1e309.
  const what = typeof value === "number" ? String(value) : quoted(value);
  return invalid(code, `${place} ${what}, ${ruleOf(breach)}`);
}

const badPrice = (price: number, expected: string) =>
  invalid(LossCode.missingPrice, `price ${price}, expected ${expected}`);

const invalid = (code: number, reason: string): BidResponse => ({ kind: "invalid", code, reason });
