import type { ValueError } from "@sinclair/typebox/errors";

/** A key as one part of a JSON pointer (RFC 6901). */
export const escapePointer = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");

/** The key of a part that `escapePointer` has written. */
export const unescapePointer = (part: string) => part.replaceAll("~1", "/").replaceAll("~0", "~");

/** The rule that a value breaks, in words that go on after its place. */
export const ruleOf = ({ message }: Pick<ValueError, "message">) =>
  message.charAt(0).toLowerCase() + message.slice(1);
