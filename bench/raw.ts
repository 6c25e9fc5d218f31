/**
 * What Bun itself can do: POST /bid on `Bun.serve`, the body parsed and looked at no further, with
 * the answer of reference.ts. Prints the port once it listens.
 */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  reusePort: true,
  routes: {
    "/bid": {
      POST: async (request) => {
        await request.json();
        return Response.json({ winner: "bidder1", price: 0.42 });
      },
    },
  },
});
process.stdout.write(`listening on ${server.port}\n`);
