/** Whose heap was measured. Another Bun may not know the settings, and ends at once with them. */
const MEASURED_BUN = "1.4.5";

/**
 * What a worker runs with, unless the environment says otherwise.
 * @param hasRedis  whether bids wait for Redis
 */
export const workerEnvironment = (hasRedis: boolean, bunVersion = Bun.version) => ({
  NODE_ENV: "production",
  // Milliseconds. Bun's allocator gives holes in its pages back so often that under load it costs
  // 8 % of a bid; once a second keeps a worker as small.
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "1000",
  ...(bunVersion === MEASURED_BUN && heapSettings(hasRedis)),
});

const heapSettings = (hasRedis: boolean) => ({
  // No thread that fetches what a collection gave back ahead of the next bids: 0.96 of a bid's CPU.
  BUN_JSC_useWarmUpMarkedBlocks: "0",
  // Bytes between two collections. Bids that wait for Redis outlive them; without a bound a worker
  // holds 12 MiB more, for the same CPU. Those that are answered at once cost less without one.
  ...(hasRedis && { BUN_JSC_gcMaxHeapSize: "12000000" }),
});
