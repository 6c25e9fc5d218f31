import type { CatalogDocument } from "./document.ts";

/**
 * What becomes of each bidder and supply on the way from one catalog to another: `+` it is new,
 * `-` it is gone, `~` it says something else, with the fields that differ.
 */
export function describeDifference(from: CatalogDocument, to: CatalogDocument): string[] {
  return [
    ...compare("bidder", from.bidders, to.bidders),
    ...compare("supply", from.supplies, to.supplies),
  ];
}

function* compare(kind: string, from: Record<string, object>, to: Record<string, object>) {
  const [before, after] = [new Map(Object.entries(from)), new Map(Object.entries(to))];
  for (const [id, entry] of after) {
    const old = before.get(id);
    if (!old) yield `+ ${kind} ${id}`;
    const fields = old ? changedFields(longForm(old), longForm(entry)) : [];
    if (fields.length > 0) yield `~ ${kind} ${id}: ${fields.join(", ")}`;
  }
  for (const id of before.keys()) if (!after.has(id)) yield `- ${kind} ${id}`;
}

/** A list is the short form of a supply. */
const longForm = (entry: object): Record<string, unknown> =>
  Array.isArray(entry) ? { bidders: entry } : { ...entry };

function changedFields(from: Record<string, unknown>, to: Record<string, unknown>): string[] {
  const fields = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...fields].filter((field) => !Bun.deepEquals(from[field], to[field]));
}
