import type { AnyRoute } from "@chaya/contract";

/**
 * The parameters of a path that `route` owns, percent-decoded once. Undefined when one of them has no normal form:
 * a broken or over-long encoding, a NUL, or a segment `.` or `..` that another server would have resolved.
 */
export function pathParameters(route: AnyRoute, path: string): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  const came = path.slice(1).split("/");
  for (const [index, segment] of route.path.slice(1).split("/").entries()) {
    if (!segment.startsWith("{")) continue;
    const isRest = segment.endsWith("...}");
    const raw = isRest ? came.slice(index).join("/") : (came[index] ?? "");
    const decoded = percentDecoded(raw);
    if (decoded === undefined || decoded.includes("\0")) return undefined;
    if (decoded.split("/").some((part) => part === "." || part === "..")) return undefined;
    parameters[segment.slice(1, isRest ? -4 : -1)] = decoded;
  }
  return parameters;
}

function percentDecoded(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    // decodeURIComponent says "no" by throwing; there is nothing else it could mean.
    return undefined;
  }
}
