import { usageError } from "./cli-error.ts";

/** Where the server is: `--url`, else CHAYA_URL, else FN_API_URL, else this machine. */
export function serverUrl(flag: string | undefined, environment: Readonly<Record<string, string | undefined>>): string {
  if (flag !== undefined) return normalUrl(flag, "--url");
  for (const name of ["CHAYA_URL", "FN_API_URL"]) {
    const value = environment[name];
    if (value !== undefined && value !== "") return normalUrl(value, name);
  }
  return "http://127.0.0.1:8080";
}

/** As Fn reads FN_API_URL: `http://` where no scheme is given, the scheme's port, and a path is kept. */
function normalUrl(text: string, where: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw usageError(`${where}: '${text}' is not the URL of a server.`, "Example: http://127.0.0.1:8080");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw usageError(`${where}: the URL of a server has no user, query or fragment.`, "Example: http://127.0.0.1:8080");
  }
  return url.href.replace(/\/+$/, "");
}
