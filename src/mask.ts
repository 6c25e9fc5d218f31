/** A value fit for a log: a password in a URL, or in what should be one, becomes three stars. */
export function mask(name: string, value: string): string {
  if (!["REDIS_URL", "CATALOG"].includes(name)) return value;
  const withoutUser = value.replace(/^((?:[a-z0-9+.-]+:\/\/)?[^:@/]*):(?!\/\/).*@/i, "$1:***@");
  return withoutUser.replace(/([?&](?:ssl)?password=)[^&]*/gi, "$1***");
}
