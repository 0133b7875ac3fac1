// Hot path: ARCHITECTURE, hot-path rules

/** Headers that speak about one connection only (RFC 9110 §7.6.1), and `Proxy-Connection`, which never was one. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Says of a name in lower case whether it ends at this hop: by itself or because a Connection header names it. */
export type IsHopHeader = (lowerName: string) => boolean;

const isHopByHop: IsHopHeader = (lowerName) => hopByHop.has(lowerName);

/** Which of these flat headers end here. */
export function hopHeadersOf(headers: readonly string[]): IsHopHeader {
  let named: Set<string> | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (name.length !== 10 || name.toLowerCase() !== "connection") continue;
    for (const part of (headers[index + 1] ?? "").split(",")) {
      const option = part.trim().toLowerCase();
      if (option === "keep-alive" || option === "close" || option === "") continue;
      named ??= new Set();
      named.add(option);
    }
  }
  if (named === undefined) return isHopByHop;
  const options = named;
  return (lowerName) => hopByHop.has(lowerName) || options.has(lowerName);
}
