import { homedir } from "node:os";
import { join } from "node:path";
import { CliError } from "./cli-error.ts";
import { isOwnMachine } from "./own-machine.ts";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What `chaya login` keeps of a server. */
export interface SavedSession {
  readonly token: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** The user's name. */
  readonly user: string;
}

/** `$XDG_CONFIG_HOME/chaya/sessions.json`, else below ~/.config. */
export function sessionsFile(environment: Environment): string {
  const home = environment.HOME || homedir();
  return join(environment.XDG_CONFIG_HOME || join(home, ".config"), "chaya", "sessions.json");
}

/** The session at this server, ended or not. Throws CliError when the file cannot be trusted. */
export function savedSession(url: string, environment: Environment): SavedSession | undefined {
  return readSessions(environment).get(serverKey(url));
}

/** Keeps the session at this server in place of another; undefined forgets it. */
export async function saveSession(
  url: string,
  environment: Environment,
  session: SavedSession | undefined,
): Promise<void> {
  const sessions = readSessions(environment);
  if (session === undefined) sessions.delete(serverKey(url));
  else sessions.set(serverKey(url), session);
  const text = JSON.stringify(Object.fromEntries(sessions), null, 2);
  await writePrivateFile(sessionsFile(environment), `${text}\n`);
}

/** All names of this machine are one: a link says localhost where --url says 127.0.0.1. */
function serverKey(url: string): string {
  if (!isOwnMachine(url)) return url;
  const own = new URL(url);
  own.hostname = "localhost";
  return own.href.replace(/\/+$/, "");
}

function readSessions(environment: Environment): Map<string, SavedSession> {
  const file = sessionsFile(environment);
  const parsed = parseJson(readPrivateFile(file) ?? "{}");
  const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : undefined;
  if (entries === undefined || !entries.every(([, value]) => isSession(value)))
    throw new CliError({
      what: `${file} does not hold sessions.`,
      hint: "Remove it and log in again: chaya login LINK",
    });
  return new Map(entries);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isSession(value: unknown): value is SavedSession {
  if (typeof value !== "object" || value === null) return false;
  const { token, expiresAt, user }: Partial<Record<keyof SavedSession, unknown>> = value;
  return [token, expiresAt, user].every((part) => typeof part === "string");
}
