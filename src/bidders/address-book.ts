import { lookup as lookUp } from "node:dns/promises";
import ipaddr from "ipaddr.js";
import { type EgressRule, privateRange } from "../catalog/egress.ts";

/** How long an answer of DNS is used before it is asked again. */
const FRESH_MS = 30_000;
/** Addresses of one name that are tried; a longer answer is cut. */
const ADDRESSES_MAX = 8;

export interface AddressBookOptions {
  /** A name, or an address without brackets. */
  host: string;
  egress: EgressRule;
  /** Every address of a name, the preferred one first. */
  lookup?: (name: string) => Promise<readonly string[]>;
  /** Monotonic clock, milliseconds. */
  now?: () => number;
}

/** The addresses behind one host: what is handed out has been checked, so it is what is called. */
export interface AddressBook {
  /**
   * At once but for the first time: an answer that has become old is used while DNS is asked again
   * on the side, and is kept where DNS does not answer.
   * @throws Error where the host has no address that may be called, or what the lookup throws
   */
  address(): string | Promise<string>;
  /** The address did not answer: the next one is tried from now on. */
  turn(): void;
}

export function createAddressBook(options: AddressBookOptions): AddressBook {
  const { host, egress, lookup = lookUpAll, now = () => performance.now() } = options;
  const isAllowed = (address: string) => egress.allowPrivate || !privateRange(address);
  const isAddress = ipaddr.isValid(host);
  let addresses: readonly string[] = isAddress && isAllowed(host) ? [host] : [];
  let place = 0;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  function address(): string | Promise<string> {
    if (isAddress && addresses.length > 0) return host;
    if (isAddress) throw refusal([host]);
    const isFresh = now() - askedAtMs < FRESH_MS;
    if (!isFresh) asking ??= ask();
    if (addresses.length > 0) {
      asking?.catch(() => {}); // The old answer stays.
      return current();
    }
    return asking!.then(current);
  }

  const current = () => addresses[place % addresses.length]!;

  async function ask(): Promise<void> {
    try {
      const answer = await lookup(host);
      const allowed = answer.filter(isAllowed).slice(0, ADDRESSES_MAX);
      addresses = allowed; // Also when there is none: the name has been turned elsewhere.
      if (allowed.length === 0) throw refusal(answer);
      askedAtMs = now();
    } finally {
      asking = undefined;
    }
  }

  function refusal(answer: readonly string[]): Error {
    const [first] = answer;
    if (first === undefined) return new Error(`${host} has no address`);
    return new Error(`${host} is ${first}, which is ${privateRange(first)}: not called`);
  }

  return { address, turn: () => void place++ };
}

async function lookUpAll(name: string): Promise<string[]> {
  const answer = await lookUp(name, { all: true });
  return answer.map(({ address }) => address);
}
