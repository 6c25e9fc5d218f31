import ipaddr from "ipaddr.js";

const HOPS_MAX = 16;
const HEADER_LENGTH_MAX = 512;
/** Shared by requests whose socket is gone: nothing will be answered to them. */
const UNKNOWN_CLIENT = "unknown";

/** Peers remembered; when there are more, all are forgotten and parsed again. */
const PEERS_MAX = 1_024;
const CANONICAL_IPV4 =
  /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

type Address = ipaddr.IPv4 | ipaddr.IPv6;
interface Peer {
  readonly address: Address;
  readonly isTrusted: boolean;
}

/** Who a request is from. */
export interface ClientAddresses {
  /** The limiter's key: one client is one IPv4 address, however it is spelt, or one IPv6 /64. */
  keyOf(socketAddress: string | undefined, forwardedFor: string | null): string;
  /** Its address, whole, in canonical text; undefined where the socket is gone. */
  ipOf(socketAddress: string | undefined, forwardedFor: string | null): string | undefined;
}

/**
 * Behind a trusted peer the client is the first untrusted address of `X-Forwarded-For`, read from
 * the right. A token that is no address ends the walk: the hop before it counts. So does the end of
 * the last 16 hops or 512 characters: what is to the left of them is not read.
 * @param trustedRanges  CIDR ranges; none: the header is never read
 */
export function createClientAddresses(trustedRanges: readonly string[]): ClientAddresses {
  const ranges = trustedRanges.map(parseRange);
  const peers = new Map<string, Peer>();
  const isTrusted = (address: Address) =>
    ranges.some(([network, bits]) => {
      const isSameKind = address.kind() === network.kind();
      return isSameKind && (address as ipaddr.IPv4).match(network as ipaddr.IPv4, bits);
    });

  function keyOf(socketAddress: string | undefined, forwardedFor: string | null): string {
    if (socketAddress === undefined) return UNKNOWN_CLIENT;
    // The kernel spells IPv4 canonically, so the common case needs no parser.
    if (ranges.length === 0 && !socketAddress.includes(":")) return socketAddress;
    const peer = peerOf(socketAddress);
    if (!peer) return UNKNOWN_CLIENT;
    // One hop, spelt canonically, is its own key.
    if (peer.isTrusted && forwardedFor !== null && CANONICAL_IPV4.test(forwardedFor)) {
      return forwardedFor;
    }
    return clientKey(clientOf(peer, forwardedFor));
  }

  function ipOf(socketAddress: string | undefined, forwardedFor: string | null) {
    const peer = socketAddress === undefined ? undefined : peerOf(socketAddress);
    return peer && clientOf(peer, forwardedFor).toString();
  }

  const clientOf = ({ address, isTrusted }: Peer, forwardedFor: string | null): Address =>
    forwardedFor === null || !isTrusted ? address : walk(address, forwardedFor);

  return { keyOf, ipOf };

  /** Peers are parsed once: behind a proxy there are few of them. */
  function peerOf(socketAddress: string): Peer | undefined {
    const known = peers.get(socketAddress);
    if (known) return known;
    const address = parseAddress(socketAddress);
    if (!address) return undefined;
    if (peers.size === PEERS_MAX) peers.clear();
    const peer = { address, isTrusted: isTrusted(address) };
    peers.set(socketAddress, peer);
    return peer;
  }

  function walk(peer: Address, forwardedFor: string): Address {
    const tokens = forwardedFor.slice(-HEADER_LENGTH_MAX).split(",");
    if (forwardedFor.length > HEADER_LENGTH_MAX) tokens.shift(); // It may be half an address.
    const hops = tokens.slice(-HOPS_MAX);
    let client = peer;
    for (let i = hops.length - 1; i >= 0 && isTrusted(client); i--) {
      const hop = parseAddress(stripPort(hops[i]!.trim()));
      if (!hop) break;
      client = hop;
    }
    return client;
  }
}

/** A range in the kind that its addresses are parsed to: a mapped one is of IPv4. */
function parseRange(range: string): [network: Address, bits: number] {
  const [network, bits] = ipaddr.parseCIDR(range);
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [network.toIPv4Address(), bits - 96] : [network, bits];
}

/** `1.2.3.4:80` and `[2001:db8::1]:80` without brackets and port. */
function stripPort(token: string): string {
  if (token.startsWith("[")) return /^\[([^\]]*)\](:\d+)?$/.exec(token)?.[1] ?? token;
  const colon = token.indexOf(":");
  return colon > 0 && colon === token.lastIndexOf(":") ? token.slice(0, colon) : token;
}

function parseAddress(text: string): Address | undefined {
  // Strict: ipaddr.js would also take 0x7f.1, which no two parsers read alike.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const withoutZone = text.replace(/%.*$/, "");
  if (!ipaddr.IPv6.isValid(withoutZone)) return undefined;
  const address = ipaddr.IPv6.parse(withoutZone);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Written from the bytes, so that every spelling is one key. */
function clientKey(address: Address): string {
  if (address instanceof ipaddr.IPv4) return address.octets.join(".");
  const network = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}
