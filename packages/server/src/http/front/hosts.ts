import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { Problem } from "@chaya/contract";

export interface HostRules {
  /** Without a trailing slash; known once the server listens. */
  publicUrl(): string;
  /** Further names the server answers for, without port. */
  readonly allowedHosts: readonly string[];
}

/** own: a name of this server · address: an IP address that is not loopback · unknown: anything else. */
export type HostKind = "own" | "address" | "unknown";

/**
 * Whose name a Host header carries. A page of another site can point its own name at this server (DNS rebinding), so a
 * name must be known; an address cannot be rebound. Ports are not compared: they are forwarded at will.
 */
export function hostKind(host: string, rules: HostRules): HostKind {
  const name = nameOf(host);
  if (name === undefined) return "unknown";
  if (name === "localhost" || isLoopback(name)) return "own";
  if (name === hostOf(rules.publicUrl()) || rules.allowedHosts.some((allowed) => allowed.toLowerCase() === name))
    return "own";
  return isIP(name) === 0 ? "unknown" : "address";
}

/** 127.0.0.0/8 and ::1, in their usual spelling and as IPv4 within IPv6. */
export function isLoopback(address: string): boolean {
  const bare = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  return bare === "::1" || (bare.startsWith("127.") && isIP(bare) === 4);
}

/**
 * The control API is for tools and for pages of the public URL. Throws `origin-refused` for any other page: `null` is
 * the origin of sandboxed pages and files, and a navigation from another site carries no Origin at all.
 */
export function checkOrigin(headers: IncomingHttpHeaders, rules: HostRules): void {
  const { origin } = headers;
  if (origin !== undefined && origin !== originOf(rules.publicUrl())) throw new Problem("origin-refused", { origin });
  if (headers["sec-fetch-site"] === "cross-site") throw new Problem("origin-refused", { origin: "another site" });
}

/** The name or address of `name[:port]` in lower case; undefined for anything else. */
function nameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::\d{0,5})?$/.exec(host.toLowerCase());
  if (match?.[1] !== undefined) return isIP(match[1]) === 6 ? match[1] : undefined;
  return match?.[2];
}

function originOf(url: string): string {
  return new URL(url).origin;
}

function hostOf(url: string): string {
  const { hostname } = new URL(url);
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}
