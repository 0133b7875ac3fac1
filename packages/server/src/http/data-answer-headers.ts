// Hot path: ARCHITECTURE, hot-path rules.

/** Scripts in it may run, but in an origin of their own: they reach neither cookies nor the control API. */
const sandboxPolicy = "sandbox allow-scripts allow-forms allow-popups allow-downloads allow-modals";

/**
 * The headers of an answer of user code on the main origin, which the console and the control API share: nothing in it
 * may speak for that origin. Takes and returns flat name, value lists; names compare without case.
 */
export function dataAnswerHeaders(headers: readonly string[]): string[] {
  const kept: string[] = [];
  let isActive = false;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    if (isDropped(name)) continue;
    if (name.length === contentType.length && name.toLowerCase() === contentType) isActive ||= isActiveType(value);
    kept.push(name, value);
  }
  kept.push("X-Content-Type-Options", "nosniff");
  if (isActive) kept.push("Content-Security-Policy", sandboxPolicy);
  return kept;
}

const contentType = "content-type";

/** Lengths are compared first: most names differ there, and lower-casing each would cost more than the rest. */
function isDropped(name: string): boolean {
  switch (name.length) {
    case 10:
      return name.toLowerCase() === "set-cookie";
    case 11:
      return name.toLowerCase() === "set-cookie2";
    case 15:
      return name.toLowerCase() === "clear-site-data";
    case 22: {
      const lower = name.toLowerCase();
      return lower === "service-worker-allowed" || lower === "x-content-type-options";
    }
    default:
      return false;
  }
}

/** Types a browser runs scripts of. Any mention counts: browsers read odd values in odd ways. */
function isActiveType(value: string): boolean {
  const lower = value.toLowerCase();
  return /html|xml|svg|xsl|multipart/.test(lower);
}
