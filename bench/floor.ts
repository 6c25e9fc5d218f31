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
 * The least that an answer by the contract costs: a route like the service's that reads a bid,
 * knows who asks and makes a request id. No auction, no catalog, no supervisor. Prints the port
 * once it listens.
 */
export function listen(
  answer: (requestId: string, client: string) => Response | Promise<Response>,
): void {
  const readBid = createBidReader(TMAX_MS_MAX);
  const clients = createClientAddresses(["127.0.0.1/32"]);
  const requestIdOf = createRequestIds(`floor-${process.pid}`);

  function answerBid(request: Request, sockets: Sockets): Promise<Response> {
    const requestId = requestIdOf(request);
    return readBid(request, (read) => {
      const address = sockets.requestIP(request)?.address;
      const client = clients.keyOf(address, request.headers.get("x-forwarded-for"));
      // Never empty; asked so that no compiler leaves the client out.
      if ("code" in read || client === "") return new Response(undefined, { status: 400 });
      return answer(requestId, client);
    });
  }

  new Elysia({ serve: { routes: { "/bid": { POST: answerBid } } } }).listen(PLACE, tellPort);
}
