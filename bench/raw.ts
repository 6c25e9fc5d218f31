import { PLACE, tellPort } from "./listening.ts";

/**
 * What Bun itself can do: POST /bid on `Bun.serve`, the body parsed and looked at no further, with
 * the answer of reference.ts. Prints the port once it listens.
 */
const server = Bun.serve({
  ...PLACE,
  routes: {
    "/bid": {
      POST: async (request) => {
        await request.json();
        return Response.json({ winner: "bidder1", price: 0.42 });
      },
    },
  },
});
tellPort(server);
