import { recordInvalid } from "./record-invalid.ts";

const schemes = ["tcp", "udp", "unix", "unixgram", "tcp+tls"];

/** Throws `fn-record-invalid` with the text Fn gives: Go's net/url tells what is wrong with a URL in these words. */
export function checkSyslogUrl(url: string): void {
  const failure = parseFailure(url);
  if (failure !== undefined)
    throw recordInvalid(`invalid syslog url: "${url}" parse ${JSON.stringify(url)}: ${failure}`);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || !schemes.includes(scheme))
    throw recordInvalid(`invalid syslog url: "${url}" invalid scheme, only [${schemes.join(", ")}] are supported`);
}

/** What Go's `url.Parse` has against a URL: as much of it as a syslog address can get wrong. */
function parseFailure(url: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
  if (/[\x00-\x1f\x7f]/.test(url)) return "net/url: invalid control character in URL";
  if (url.startsWith(":")) return "missing protocol scheme";
  const [, scheme, rest = ""] = /^([A-Za-z][A-Za-z0-9+.-]*:)?([^?#]*)/.exec(url) ?? [];
  if (!rest.startsWith("/")) {
    const isPathLikeScheme = scheme === undefined && /^[^/]*:/.test(rest);
    return isPathLikeScheme ? "first path segment in URL cannot contain colon" : undefined;
  }
  return hostFailure(/^\/\/(?:[^/]*@)?([^/]*)/.exec(rest)?.[1] ?? "") ?? escapeFailure(rest);
}

function hostFailure(host: string): string | undefined {
  const end = host.lastIndexOf("]");
  if (host.startsWith("[") && end === -1) return "missing ']' in host";
  const port = host.startsWith("[") ? host.slice(end + 1) : (/:[^:]*$/.exec(host)?.[0] ?? "");
  if (!/^(?::[0-9]*)?$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  const bad = /[ \\^`{|}]/.exec(host);
  return escapeFailure(host) ?? (bad === null ? undefined : `invalid character ${JSON.stringify(bad[0])} in host name`);
}

function escapeFailure(text: string): string | undefined {
  const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(text);
  return bad === null ? undefined : `invalid URL escape ${JSON.stringify(bad[0])}`;
}
