const TEXT_LENGTH_MAX = 100;
const VALUE_LENGTH_MAX = 40;

/** Text of others as it may reach logs and answers: printable ASCII, cut where it gets long. */
export const plain = (text: string, lengthMax = TEXT_LENGTH_MAX) =>
  text.slice(0, lengthMax).replace(/[^\x20-\x7e]/g, "?") + (text.length > lengthMax ? "..." : "");

/** A value that others sent, as JSON. */
export const quoted = (value: unknown) =>
  plain(JSON.stringify(beginningOf(value)) ?? "nothing", VALUE_LENGTH_MAX);

/**
 * What is shown of a value, and little more: to write all of one that is nested 32,000 deep takes
 * half a second. Each level and each member is at least a character.
 */
function beginningOf(value: unknown, depth = VALUE_LENGTH_MAX): unknown {
  if (typeof value === "string") return value.slice(0, VALUE_LENGTH_MAX);
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return "...";
  if (Array.isArray(value)) {
    return value.slice(0, VALUE_LENGTH_MAX).map((member) => beginningOf(member, depth - 1));
  }
  const members = Object.entries(value).slice(0, VALUE_LENGTH_MAX);
  return Object.fromEntries(members.map(([key, member]) => [key, beginningOf(member, depth - 1)]));
}

/** What an error says, its code before its words; some begin with it already. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return plain(String(error));
  const { code, message } = error as NodeJS.ErrnoException;
  const isSaid = code === undefined || message.startsWith(code);
  return plain(isSaid ? message : `${code}: ${message}`);
}
