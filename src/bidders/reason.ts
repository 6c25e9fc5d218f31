const TEXT_LENGTH_MAX = 100;
const VALUE_LENGTH_MAX = 40;

/** Text of others as it may reach logs and answers: printable ASCII, cut where it gets long. */
export const plain = (text: string, lengthMax = TEXT_LENGTH_MAX) =>
  text.slice(0, lengthMax).replace(/[^\x20-\x7e]/g, "?") + (text.length > lengthMax ? "..." : "");

/** A value that others sent, as JSON. */
export const quoted = (value: unknown) =>
  plain(JSON.stringify(value) ?? "nothing", VALUE_LENGTH_MAX);

/** What an error says, its code before its words; some begin with it already. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return plain(String(error));
  const { code, message } = error as NodeJS.ErrnoException;
  const isSaid = code === undefined || message.startsWith(code);
  return plain(isSaid ? message : `${code}: ${message}`);
}
