// Hot path: ARCHITECTURE, hot-path rules.
import type { IncomingMessage } from "node:http";
import { Problem } from "@chaya/contract";
import type { FrontLimits } from "../limits.ts";

/** What the raw header says about the message and its target. */
export interface Framing {
  /** As it came; empty when an HTTP/1.0 client sent none. */
  readonly host: string;
  /** In origin form: `/path?query`. */
  readonly target: string;
}

/**
 * Refuses what Node's parser lets through although two servers could read it differently: several Host headers, a
 * transfer coding beside chunked, HTTP/0.9 and 2 in clear. Node itself refuses bare LF and CR, folded lines,
 * Content-Length beside Transfer-Encoding or twice, and chunk sizes that are not plain hexadecimal (framing.test.ts).
 * Throws `request-malformed`, `request-target-too-long` or `request-header-too-large`.
 */
export function readFraming(request: IncomingMessage, limits: FrontLimits): Framing {
  const { httpVersion, rawHeaders } = request;
  const target = request.url ?? "";
  if (httpVersion !== "1.1" && httpVersion !== "1.0") throw malformed(`HTTP/${httpVersion} is not spoken here`);
  if (target.length > limits.requestLineBytesMax) {
    throw new Problem("request-target-too-long", { bytesMax: limits.requestLineBytesMax });
  }
  let host: string | undefined;
  let bytes = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    bytes += name.length + value.length + 4;
    if (name.length === 4 && name.toLowerCase() === "host") {
      if (host !== undefined) throw malformed("it has more than one Host header");
      host = value;
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      // A second such header never gets here: the parser refuses what follows `chunked`.
      if (value.toLowerCase() !== "chunked") throw malformed("Transfer-Encoding may only be chunked");
      if (httpVersion === "1.0") throw malformed("HTTP/1.0 has no Transfer-Encoding");
    }
  }
  if (bytes > limits.headerBytesMax || rawHeaders.length > 2 * limits.headersCountMax) throw headerTooLarge(limits);
  if (host === undefined && httpVersion === "1.1") throw malformed("it has no Host header");
  if (target.includes("#")) throw malformed("a request target has no fragment");
  return target.charCodeAt(0) === slash ? { host: host ?? "", target } : unusualTarget(target, host ?? "");
}

export function malformed(reason: string): Problem {
  return new Problem("request-malformed", { reason });
}

export function headerTooLarge(limits: FrontLimits): Problem {
  return new Problem("request-header-too-large", {
    bytesMax: limits.headerBytesMax,
    countMax: limits.headersCountMax,
  });
}

const slash = 47;

/** RFC 9112 §3.2.2: the absolute form must be understood; its authority must be the one that Host names. */
function unusualTarget(target: string, host: string): Framing {
  if (target === "*") return { host, target };
  const absolute = /^http:\/\/([^/?]+)(.*)$/i.exec(target);
  const [, authority = "", rest = ""] = absolute ?? [];
  if (absolute === null) throw malformed("its target is neither a path nor an http URL");
  if (authority.toLowerCase() !== host.toLowerCase()) throw malformed("its target and its Host header differ");
  return { host, target: rest.startsWith("/") ? rest : `/${rest}` };
}
