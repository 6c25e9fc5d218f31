import { openStub } from "../src/sandbox/stub.ts";
import type { StubOrder } from "../src/sandbox/stub-bidder.ts";

/* Plays the bidders of ORDERS, and prints their ports in that order. */
const orders = JSON.parse(process.env.ORDERS!) as StubOrder[];
const stubs = await Promise.all(orders.map(openStub));
console.log(`listening on ${stubs.map(({ port }) => port).join(",")}`);
