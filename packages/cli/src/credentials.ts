import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "./cli-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What the CLI shows a server, as headers: the token in CHAYA_TOKEN, else for a server of this machine the one that it
 * keeps in its data directory (CHAYA_DATA, else .chaya) for its administrator; else nothing. Throws CliError for a file
 * that others may read.
 */
export function credentialHeaders(url: string, environment: Environment): Readonly<Record<string, string>> {
  const token = environment.CHAYA_TOKEN || (isOwnMachine(url) ? administratorsToken(environment) : undefined);
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function administratorsToken(environment: Environment): string | undefined {
  const file = join(environment.CHAYA_DATA || ".chaya", "keys", "admin.token");
  if (!existsSync(file)) return undefined;
  return readTokenFile(file);
}

/** Whoever reads the token is the administrator. */
export function readTokenFile(file: string): string {
  if ((statSync(file).mode & 0o077) !== 0)
    throw new CliError({ what: `${file} can be read by other users of this machine.`, hint: `Run: chmod 600 ${file}` });
  return readFileSync(file, "utf8").trim();
}

function isOwnMachine(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
