/**
 * A deadline of our own on work that may never settle.
 * @throws Error naming the work when `deadlineMs` are over first, else what the work throws
 */
export function within<T>(work: Promise<T>, deadlineMs: number, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${name}: not done in ${deadlineMs} ms`)),
      deadlineMs,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
