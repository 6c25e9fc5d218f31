const ACCEPTED = /^[A-Za-z0-9._-]{1,64}$/;

/** The caller's `X-Request-Id` where it is 1 to 64 of A-Z a-z 0-9 . _ -, else one of ours. */
export type RequestIdOf = (request: Request) => string;

/** @param prefix  unique to this process, so that ids made by a counter are unique everywhere */
export function createRequestIds(prefix: string): RequestIdOf {
  let made = 0;
  return (request) => {
    const given = request.headers.get("x-request-id");
    if (given !== null && ACCEPTED.test(given)) return given;
    return `${prefix}-${(++made).toString(36)}`;
  };
}
