import ipaddr from "ipaddr.js";

/** Whom the exchange may call: without `allowPrivate` only what is public on the internet. */
export interface EgressRule {
  readonly allowPrivate: boolean;
}

/**
 * What is wrong with a bidder's endpoint, as far as its text tells: a name is looked up when it is
 * called, and its addresses are checked then.
 * @returns undefined when nothing is
 */
export function endpointProblem(
  endpoint: string,
  { allowPrivate }: EgressRule,
): string | undefined {
  if (!URL.canParse(endpoint)) return "expected an http or https URL";
  const { username, password, hostname, port, hash } = new URL(endpoint);
  if (username !== "" || password !== "") return "expected a URL without a user: use headers";
  if (port === "0") return "expected a port above 0";
  if (hash !== "") return "expected a URL without a fragment";
  if (allowPrivate) return undefined;
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const isLocalName = host === "localhost" || host.endsWith(".localhost");
  const range = isLocalName ? "loopback" : ipaddr.isValid(host) ? privateRange(host) : undefined;
  if (range === undefined) return undefined;
  return `expected a public address, ${host} is ${range} (ALLOW_PRIVATE_BIDDERS=true allows it)`;
}

/**
 * The range that an address is in, when that is not a public one: private, loopback, linkLocal
 * (where clouds have their metadata), uniqueLocal, carrierGradeNat, multicast and so on; also
 * IPv6 ranges that carry IPv4 addresses, whatever those are.
 * @param address  as a resolver or a URL writes it
 */
export function privateRange(address: string): string | undefined {
  const parsed = ipaddr.parse(address.replace(/%.*$/, ""));
  const range = parsed.range();
  if (range !== "unicast") return range;
  // Whatever a list of special ranges may lack: only 2000::/3 is given out for the internet.
  const isGlobal = parsed instanceof ipaddr.IPv4 || parsed.parts[0]! >> 13 === 1;
  return isGlobal ? undefined : "reserved";
}
