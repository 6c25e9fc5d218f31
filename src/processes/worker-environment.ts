/** Whose heap was measured. Another Bun may not know the settings, and ends at once with them. */
const MEASURED_BUN = "1.4.5";

/**
 * What a worker runs with, unless the environment says otherwise.
 * @param hasRedis  whether its store is Redis, and not the embedded one
 */
export const workerEnvironment = (hasRedis: boolean, bunVersion = Bun.version) => ({
  NODE_ENV: "production",
  // Milliseconds. Bun's allocator gives holes in its pages back so often that under load it costs
  // 8 % of a bid; once a second keeps a worker as small.
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "1000",
  ...(bunVersion === MEASURED_BUN && {
    // No thread that fetches what a collection gave back ahead of the next bids: 3 % of their CPU.
    BUN_JSC_useWarmUpMarkedBlocks: "0",
    // Bytes between two collections. Left to itself the engine lets as much garbage pile up as
    // there is in use, and takes the files for it that a worker maps. Bids that wait for Redis
    // outlive collections: with more bytes a worker grows, without Redis it costs more with less.
    BUN_JSC_gcMaxHeapSize: hasRedis ? "12000000" : "24000000",
  }),
});
