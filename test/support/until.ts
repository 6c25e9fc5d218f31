const POLL_MS = 10;

/**
 * Waits for a condition instead of for a time.
 * @throws Error naming what did not come about within `mostMs`
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  mostMs = 15_000,
): Promise<void> {
  const untilMs = performance.now() + mostMs;
  while (!(await condition())) {
    if (performance.now() > untilMs) throw new Error(`not within ${mostMs} ms: ${what}`);
    await Bun.sleep(POLL_MS);
  }
}
