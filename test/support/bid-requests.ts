import type { BidRequest } from "../../src/sandbox/bid-request.ts";

/** A good bid request of OpenRTB 2.6, with what the test is about changed. */
export function bidRequest(changes: Readonly<Record<string, unknown>> = {}): BidRequest {
  return {
    id: "auction-1",
    imp: [
      {
        id: "1",
        banner: { format: [{ w: 300, h: 250 }] },
        bidfloor: 0.5,
        bidfloorcur: "USD",
        secure: 1,
      },
    ],
    site: { domain: "news.example" },
    device: { ip: "203.0.113.0", geo: { country: "USA" } },
    at: 1,
    cur: ["USD"],
    tmax: 100,
    ...changes,
  } as BidRequest;
}

/** The headers that every bid request has. */
export const BID_HEADERS = {
  "content-type": "application/json",
  "x-openrtb-version": "2.6",
} as const;
