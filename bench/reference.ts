import { Elysia, t } from "elysia";
import { bidBodySchema, CountrySchema } from "../src/http/bid-request.ts";
import { PLACE, tellPort } from "./listening.ts";

const TMAX_MS_MAX = 5_000;

/**
 * What the exchange is compared with: POST /bid as Elysia's guide would write it, with the same
 * schemas for body and header, and an answer that never changes. One of several processes that
 * share the port; prints the port once it listens.
 */
new Elysia()
  .post("/bid", () => ({ winner: "bidder1", price: 0.42 }), {
    body: bidBodySchema(TMAX_MS_MAX),
    headers: t.Object({ "x-country": CountrySchema }),
  })
  .listen(PLACE, tellPort);
