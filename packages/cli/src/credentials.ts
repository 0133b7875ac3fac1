import { resolve } from "node:path";
import { UnexpectedAnswer } from "@chaya/client";
import { isProblem } from "@chaya/contract";
import { CliError } from "./cli-error.ts";
import { isOwnMachine } from "./own-machine.ts";
import { readPrivateFile } from "./private-file.ts";
import { savedSession, sessionsFile } from "./saved-sessions.ts";

/** What the CLI shows a server of itself. */
export interface Credential {
  readonly token: string;
  /** For people: where it comes from. */
  readonly source: string;
  /** What to do when the server does not take it. */
  readonly hint: string;
}

export interface CredentialPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the command was given. */
  readonly directory: string;
  /** As --data names it. */
  readonly data: string | undefined;
  readonly nowMs: number;
}

/**
 * The token in CHAYA_TOKEN, else that of the session which `chaya login` keeps for the server, else, for a server of this
 * machine, the one in its data directory (--data, CHAYA_DATA, .chaya) for its administrator. Throws CliError for a file
 * that others may read.
 */
export function findCredential(url: string, places: CredentialPlaces): Credential | undefined {
  const { environment, nowMs } = places;
  const given = environment.CHAYA_TOKEN;
  if (given) return { token: given, source: "CHAYA_TOKEN", hint: "Set another in CHAYA_TOKEN, or unset it." };
  const session = savedSession(url, environment);
  if (session !== undefined && Date.parse(session.expiresAt) > nowMs)
    return {
      token: session.token,
      source: `the session of ${session.user} in ${sessionsFile(environment)}`,
      hint: "Log in again with: chaya login LINK — or end the session with: chaya logout",
    };
  return isOwnMachine(url) ? administratorsCredential(places) : undefined;
}

function administratorsCredential({ environment, directory, data }: CredentialPlaces): Credential | undefined {
  const source = resolve(directory, data ?? (environment.CHAYA_DATA || ".chaya"), "keys", "admin.token");
  const token = readPrivateFile(source)?.trim();
  const hint = "Is it that server's data directory? Name another with --data or CHAYA_DATA.";
  return token ? { token, source, hint } : undefined;
}

export function credentialHeaders(credential: Credential | undefined): Readonly<Record<string, string>> {
  return credential === undefined ? {} : { authorization: `Bearer ${credential.token}` };
}

const refusals = ["credentials-missing", "credentials-invalid"] as const;

/** What to tell whoever the server did not recognise. Undefined: it said something else. */
export function refusedCredential(
  error: unknown,
  { url, credential }: { readonly url: string; readonly credential: Credential | undefined },
): CliError | undefined {
  // OCI's dialect has words of its own; a function that answers 401 has a call id.
  const isOci = error instanceof UnexpectedAnswer && error.kind === "unauthenticated" && error.callId === undefined;
  if (!(error instanceof Error) || !(isOci || refusals.some((code) => isProblem(error, code)))) return undefined;
  const why = error.message;
  if (credential !== undefined) {
    const what = `The server at ${url} does not accept what is in ${credential.source}.`;
    return new CliError({ what, why, hint: credential.hint }, { cause: error });
  }
  const what = `The server at ${url} asks for credentials.`;
  const hint = "Log in (chaya login LINK), set CHAYA_TOKEN, or name a data directory of this machine with --data.";
  return new CliError({ what, why, hint }, { cause: error });
}
