import type { BidRequest } from "./bid-request.ts";
import type { Decision } from "./decisions.ts";
import type { NoBidForm } from "./profile.ts";

/** An HTTP answer; as it is, it is the second argument of a Response. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | Uint8Array<ArrayBuffer> | null;
}

export const json = (body: string): Answer => ({ status: 200, headers: JSON_HEADERS, body });

/** Who answers. */
export interface Identity {
  readonly id: string;
  readonly seat: string;
}

/** Dollars CPM that no exchange should believe. */
const EXCESSIVE_PRICE = 1_000_000;
/** A no-bid reason (OpenRTB 2.6, nbr). */
const UNMATCHED_USER = 8;

const JSON_HEADERS = new Headers({
  "content-type": "application/json",
  "x-openrtb-version": "2.6",
});
const GZIP_HEADERS = new Headers([...JSON_HEADERS, ["content-encoding", "gzip"]]);
const NO_HEADERS = new Headers();
const NO_CONTENT: Answer = { status: 204, headers: NO_HEADERS, body: null };
/** Malformed: without content, as section 2.1 of OpenRTB 2.6 wants it. */
export const BAD_REQUEST: Answer = { status: 400, headers: NO_HEADERS, body: null };
/** Where a client comes out that follows a redirect. */
export const REDIRECT_PATH = "/redirected";
const REDIRECT: Answer = {
  status: 302,
  headers: new Headers({ location: REDIRECT_PATH }),
  body: null,
};
/** As a proxy says it whose service is gone. */
const SERVER_ERROR: Answer = {
  status: 503,
  headers: new Headers({ "content-type": "text/html" }),
  body: "<html><body><h1>503 Service Unavailable</h1></body></html>",
};

/** Writes answers to good bid requests; of a bid only the pieces that differ are written anew. */
export function createAnswers({ id, seat }: Identity) {
  const creative =
    `"adomain":["stub.example"],"crid":${JSON.stringify(`${id}-1`)},` +
    `"adm":"<a href=\\"https://stub.example/\\">stub</a>"`;
  let bids = 0;

  function write(request: BidRequest, { kind, priceCents, noBidForm }: Decision): Answer {
    if (kind === "no_bid") return declineIn(noBidForm, request);
    if (kind === "server_error") return SERVER_ERROR;
    if (kind === "redirect") return REDIRECT;
    const parts = partsOf(request, priceCents);
    const lie = LIES[kind];
    const body = writeBid(lie === undefined ? parts : { ...parts, ...lie(parts) });
    return json(kind === "malformed_json" ? body.slice(0, -2) : body);
  }

  function partsOf({ id: requestId, imp }: BidRequest, cents: number): Parts {
    const price = String(cents / 100);
    return { id: requestId, cur: "USD", seat, impid: imp[0]!.id, price, isDouble: false };
  }

  function writeBid({ id: requestId, cur, seat: named, impid, price, isDouble }: Parts): string {
    const bid = `{"id":"${++bids}","impid":${JSON.stringify(impid)},"price":${price},${creative}}`;
    return (
      `{"id":${JSON.stringify(requestId)},"cur":"${cur}","seatbid":` +
      `[{"seat":${JSON.stringify(named)},"bid":[${isDouble ? `${bid},${bid}` : bid}]}]}`
    );
  }

  return { write };
}

/** The same answer in fewer bytes. */
export function compress(answer: Answer): Answer {
  if (answer.headers !== JSON_HEADERS) return answer;
  return { ...answer, headers: GZIP_HEADERS, body: Bun.gzipSync(answer.body as string) };
}

/** A bid, written down piece by piece; the price is a JSON value. */
interface Parts {
  readonly id: string;
  readonly cur: string;
  readonly seat: string;
  readonly impid: string;
  readonly price: string;
  /** Whether the bid is there twice, under the same id. */
  readonly isDouble: boolean;
}

/** What the lies change about a good bid. */
const LIES: Partial<Record<Decision["kind"], (truth: Parts) => Partial<Parts>>> = {
  wrong_id: ({ id }) => ({ id: `not-${id}` }),
  wrong_impid: ({ impid }) => ({ impid: `not-${impid}` }),
  wrong_seat: ({ seat }) => ({ seat: `not-${seat}` }),
  negative_price: ({ price }) => ({ price: `-${price}` }),
  string_price: ({ price }) => ({ price: `"${price}"` }),
  nan_price: () => ({ price: "NaN" }),
  infinite_price: () => ({ price: "1e309" }),
  excessive_price: () => ({ price: String(EXCESSIVE_PRICE) }),
  foreign_currency: () => ({ cur: "EUR" }),
  two_bids: () => ({ isDouble: true }),
};

function declineIn(form: NoBidForm, { id }: BidRequest): Answer {
  switch (form) {
    case "no_content":
      return NO_CONTENT;
    case "empty_object":
      return json("{}");
    case "empty_seatbid":
      return json(JSON.stringify({ id, seatbid: [] }));
    case "empty_seatbid_nbr":
      return json(JSON.stringify({ id, seatbid: [], nbr: UNMATCHED_USER }));
    case "nbr":
      return json(JSON.stringify({ id, nbr: UNMATCHED_USER }));
  }
}
