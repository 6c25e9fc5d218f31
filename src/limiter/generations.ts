/**
 * A bounded table that forgets what was set longest ago, a generation at a time. Every step costs
 * the same however many entries there are: a map that is emptied from its front does not, because
 * its walks pass all that was deleted there.
 */
export interface Generations<Value> {
  get(key: string): Value | undefined;
  /** Sets anew, as the youngest. @returns whether the table had to turn for it */
  set(key: string, value: Value): boolean;
  delete(key: string): void;
  /** Forgets what was not set since the turn before. */
  turn(): void;
  size(): number;
}

/** @param entriesMax  at least 2; when half as many are young, it turns by itself */
export function createGenerations<Value>(entriesMax: number): Generations<Value> {
  const youngMax = Math.max(1, Math.floor(entriesMax / 2));
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();

  function turn(): void {
    old = young;
    young = new Map();
  }

  function set(key: string, value: Value): boolean {
    const mustTurn = young.size >= youngMax && !young.has(key);
    if (mustTurn) turn();
    old.delete(key);
    young.set(key, value);
    return mustTurn;
  }

  return {
    get: (key) => young.get(key) ?? old.get(key),
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    turn,
    size: () => young.size + old.size,
  };
}
