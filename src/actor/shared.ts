/**
 * Runs a job for many callers at once. A call that comes while the job runs waits for the next
 * run, because the running one may already have passed what the caller wants seen.
 */
export function createShared<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;

  function start(): Promise<T> {
    next = undefined;
    const job = run();
    running = job;
    const done = () => {
      if (running === job) running = undefined;
    };
    job.then(done, done);
    return job;
  }

  return () => {
    // Asked first: a run that is due has not begun, even where the one before it has just ended.
    if (next) return next;
    if (!running) return start();
    next = running.then(start, start);
    return next;
  };
}
