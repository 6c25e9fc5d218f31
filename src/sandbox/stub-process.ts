import { openStub } from "./stub.ts";
import type { StubOrder } from "./stub-bidder.ts";

/** What a process of stubs tells the one that started it: the ports, in the order of the orders. */
export type StubReport = { readonly ports: readonly number[] } | { readonly failed: string };

/**
 * Plays the bidders that the parent process sends, as one message, and ends with the parent,
 * however that ends: the kernel closes the channel.
 */
export function runStubProcess(): void {
  process.on("disconnect", () => process.exit(0));
  process.once("message", async (orders: readonly StubOrder[]) => {
    try {
      const stubs = await Promise.all(orders.map(openStub));
      report({ ports: stubs.map((stub) => stub.port) });
    } catch (error) {
      report({ failed: (error as Error).message });
    }
  });
}

function report(message: StubReport): void {
  process.send!(message);
}
