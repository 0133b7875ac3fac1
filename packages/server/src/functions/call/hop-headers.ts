// Hot path: ARCHITECTURE, hot-path rules

/** Says of a name in lower case whether it ends at this hop: by itself or because a Connection header names it. */
export type IsHopHeader = (lowerName: string) => boolean;

/**
 * Headers that speak about one connection only (RFC 9110 §7.6.1), and `Proxy-Connection`, which never was one. Names
 * differ in length first: looking a fresh text up in a set would hash it.
 */
const isHopByHop: IsHopHeader = (lowerName) => {
  switch (lowerName.length) {
    case 2:
      return lowerName === "te";
    case 7:
      return lowerName === "trailer" || lowerName === "upgrade";
    case 10:
      return lowerName === "connection" || lowerName === "keep-alive";
    case 16:
      return lowerName === "proxy-connection";
    case 17:
      return lowerName === "transfer-encoding";
    case 18:
      return lowerName === "proxy-authenticate";
    case 19:
      return lowerName === "proxy-authorization";
    default:
      return false;
  }
};

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
  return (lowerName) => isHopByHop(lowerName) || options.has(lowerName);
}
