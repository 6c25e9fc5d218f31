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
  ...(hasRedis && bunVersion === MEASURED_BUN && HEAP_OF_WAITING),
});

/** Bids that wait outlive collections. Both: 0.97 of a bid's CPU, and a worker 13 MiB smaller. */
const HEAP_OF_WAITING = {
  // No thread that fetches what a collection gave back ahead of the next bids.
  BUN_JSC_useWarmUpMarkedBlocks: "0",
  // Bytes between two collections.
  BUN_JSC_gcMaxHeapSize: "12000000",
};
