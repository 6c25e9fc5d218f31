/** Calls back again and again, every so many milliseconds; returns what ends that. */
export type Repeat = (ms: number, run: () => void) => () => void;

export const repeat: Repeat = (ms, run) => {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
};
