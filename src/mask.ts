/** Up to the name of a user, however many slashes a slip has left in front of it. */
const PASSWORD_BEFORE_AT = /^((?:[a-z0-9+.-]*:?\/{1,2})?[^:@]*):(?!\/\/).*@/i;
/** What stands in the place of a port and is none: the host may have been forgotten. */
const PASSWORD_FOR_PORT = /^([a-z][a-z0-9+.-]*:\/\/[^:/?#@[]*):(?!\d*(?:[/?#]|$))[^/?#]*/i;
const PASSWORD_PARAMETER = /((?:password|passwd|pwd)=)[^&]*/gi;

/** A value fit for a log: a password in a URL, or in what should be one, becomes three stars. */
export function mask(name: string, value: string): string {
  if (!["REDIS_URL", "CATALOG"].includes(name)) return value;
  const isBefore = PASSWORD_BEFORE_AT.test(value);
  const masked = isBefore
    ? value.replace(PASSWORD_BEFORE_AT, "$1:***@")
    : value.replace(PASSWORD_FOR_PORT, "$1:***");
  return masked.replace(PASSWORD_PARAMETER, "$1***");
}
