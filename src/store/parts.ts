/** Supplies in one call that is cut: some milliseconds of the store, at most tens. */
export const SUPPLIES_PER_CALL = 500;

/** Cuts a list that may be long into parts of at most `size`, in order. None of an empty one. */
export function* partsOf<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
