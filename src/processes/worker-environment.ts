/** Whose heap was measured. Another Bun may not know the settings, and ends at once with them. */
const MEASURED_BUN = "1.4.5";

/**
 * What a worker runs with, unless the environment says otherwise.
 * @param hasRedis  whether its store is Redis, and not the embedded one
 */
export const workerEnvironment = (
  hasRedis: boolean,
  bunVersion = Bun.version,
): Readonly<Record<string, string>> => ({
  NODE_ENV: "production",
  // Milliseconds. Bun's allocator gives holes in its pages back so often that under load it costs
  // 8 % of a bid; once a second keeps a worker as small.
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "1000",
  ...(bunVersion === MEASURED_BUN && {
    // Bytes between two collections. Left alone the engine allows as much garbage as is in use,
    // and takes the files that a worker maps for in use. Bids that wait for Redis outlive a
    // collection, so that more bytes make a worker larger; without Redis fewer cost more CPU.
    ...(hasRedis
      ? {
          BUN_JSC_gcMaxHeapSize: "12000000",
          // No thread that fetches what a collection gave back ahead of the next bids: 0.97 of a
          // bid's CPU. On the embedded store a worker without it grew by 0.7 MiB a minute.
          BUN_JSC_useWarmUpMarkedBlocks: "0",
        }
      : {
          BUN_JSC_gcMaxHeapSize: "16000000",
          // And nowhere between: Bun's own timer collected five times as often.
          BUN_GC_TIMER_DISABLE: "1",
        }),
  }),
});
