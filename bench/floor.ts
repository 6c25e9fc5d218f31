import { Elysia } from "elysia";
import { createBidAnswers } from "../src/http/bid-answers.ts";
import { createBidReader } from "../src/http/bid-request.ts";
import { createClientAddresses } from "../src/http/client-address.ts";
import type { Sockets } from "../src/http/pending-bid.ts";
import { createRequestIds } from "../src/http/request-id.ts";
import { PLACE, tellPort } from "./listening.ts";

const TMAX_MS_MAX = 5_000;
export const LIMIT = { max: 3, windowMs: 60_000 };

export const answers = createBidAnswers(LIMIT);

/**
 * What an answer costs at least that is as the contract wants it: a route as the
 * service's that reads a bid as it does, knows who asks and makes a request id, and no more: no
 * auction, no catalog, no supervisor. Prints the port once it listens.
 */
export function listen(
  answer: (requestId: string, client: string) => Response | Promise<Response>,
): void {
  const readBid = createBidReader(TMAX_MS_MAX);
  const clients = createClientAddresses(["127.0.0.1/32"]);
  const requestIdOf = createRequestIds(`floor-${process.pid}`);

  function bid(request: Request, sockets: Sockets): Promise<Response> {
    const requestId = requestIdOf(request);
    return readBid(request, (read) => {
      const address = sockets.requestIP(request)?.address;
      const client = clients.keyOf(address, request.headers.get("x-forwarded-for"));
      // Never empty; asked so that no compiler leaves the client out.
      if ("code" in read || client === "") return new Response(undefined, { status: 400 });
      return answer(requestId, client);
    });
  }

  new Elysia({ serve: { routes: { "/bid": { POST: bid } } } }).listen(PLACE, tellPort);
}
