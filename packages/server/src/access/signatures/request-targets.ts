/**
 * What a client may have signed in place of `raw`, the target as it came: OCI's SDK for Node signs what the legacy
 * `url.parse` makes of the URL and sends what the WHATWG parser makes of it. The two differ in which ASCII characters they
 * escape, and in that only the latter escapes others. Each candidate is read as the same path and query.
 *
 * The texts are Latin 1: one character, one byte, as in Node's own header strings.
 */
export function otherTargets(raw: string): ReadonlySet<string> {
  const others = new Set([raw, queryDecoded(raw), nonAsciiDecoded(raw)].map(legacyEscaped));
  others.delete(raw);
  return others;
}

/** What `url.parse` escapes wherever it stands; of control characters those that can come at all. Source: Node's lib/url.js. */
const escaped = /[\t "'<>\\^`{|}]/g;

function legacyEscaped(target: string): string {
  return target.replace(escaped, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase();
    return `%${code.padStart(2, "0")}`;
  });
}

/** Paths are mostly made with encodeURIComponent, queries often not. */
function queryDecoded(target: string): string {
  const question = target.indexOf("?");
  return question === -1 ? target : target.slice(0, question) + nonAsciiDecoded(target.slice(question));
}

const escapedNonAscii = /(?:%[89A-Fa-f][0-9A-Fa-f])+/g;

function nonAsciiDecoded(target: string): string {
  return target.replace(escapedNonAscii, (bytes) => Buffer.from(bytes.replaceAll("%", ""), "hex").toString("latin1"));
}
