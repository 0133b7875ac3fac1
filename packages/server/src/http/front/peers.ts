import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { assert } from "../../kernel/assert.ts";

/** The address that a request really comes from. */
export type PeerOf = (request: IncomingMessage, address: string) => string;

/**
 * Believes X-Forwarded-For from trusted proxies only (addresses or CIDR ranges): walks it from its end, where the
 * nearest proxy wrote, up to the first address that is not trusted. What stands before that anyone may have written.
 */
export function createPeerOf(trustedProxies: readonly string[]): PeerOf {
  if (trustedProxies.length === 0) return (_request, address) => address;
  const trusted = new BlockList();
  for (const entry of trustedProxies) addTrusted(trusted, entry);
  const isTrusted = (address: string) => {
    const version = isIP(address);
    return version !== 0 && trusted.check(address, version === 4 ? "ipv4" : "ipv6");
  };
  return (request, address) => {
    let peer = address;
    const header = request.headers["x-forwarded-for"];
    const hops = (typeof header === "string" ? header : "").split(",").map((hop) => plainAddress(hop.trim()));
    for (let hop = hops.pop(); hop !== undefined && isIP(hop) !== 0 && isTrusted(peer); hop = hops.pop()) peer = hop;
    return peer;
  };
}

/** An IPv4 peer of a socket that listens on both versions has an IPv6 spelling; both are the same peer. */
export function plainAddress(address: string): string {
  return /^::ffff:\d/i.test(address) ? address.slice("::ffff:".length) : address;
}

function addTrusted(trusted: BlockList, entry: string): void {
  const [address = "", prefix] = entry.split("/");
  const version = isIP(address);
  assert(version !== 0, "the configuration accepts only addresses and ranges as trusted proxies");
  const family = version === 4 ? "ipv4" : "ipv6";
  if (prefix === undefined) trusted.addAddress(address, family);
  else trusted.addSubnet(address, Number(prefix), family);
}
