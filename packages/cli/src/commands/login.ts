import { createClient } from "@chaya/client";
import { isProblem } from "@chaya/contract";
import { CliError, usageError } from "../cli-error.ts";
import { localCommand } from "../command.ts";
import { savedSession, saveSession, sessionsFile } from "../saved-sessions.ts";
import { readHiddenText } from "../secret-prompt.ts";
import { serverUrl } from "../server-url.ts";

const url = {
  value: "URL",
  summary: "The server (that of the link, CHAYA_URL, FN_API_URL, http://127.0.0.1:8080).",
} as const;
const json = { summary: "Print JSON for programs." } as const;

export const loginCommands = [
  localCommand({
    path: "login",
    summary: "Log in with a login link; the session is kept for the commands that follow.",
    arguments: {
      LINK: {
        summary: "The link or its token; asked for, or read from standard input, when absent.",
        isOptional: true,
      },
    },
    flags: { url, json },
    examples: ["chaya login 'https://functions.example.com/console/#login=…'", "chaya login < link.txt"],
    run: async ({ terminal, print, arguments: { LINK }, flags }) => {
      const given = (LINK ?? (await readHiddenText(terminal, "Login link (not shown): "))).trim();
      const link = readLink(given);
      const server = serverUrl(flags.url ?? link.server, terminal.environment);
      // Whatever was shown before: a login needs nothing else, and something stale would be refused.
      const session = await createClient({ url: server }).chaya.createSession({ body: { loginToken: link.token } });
      const { token, expiresAt, user } = session;
      await saveSession(server, terminal.environment, { token, expiresAt, user: user.name });
      print({ url: server, user, expiresAt }, () => loggedIn(server, user.name, expiresAt));
      if (terminal.environment.CHAYA_TOKEN) terminal.stderr.write("Note: CHAYA_TOKEN is set and comes first.\n");
    },
  }),
  localCommand({
    path: "logout",
    summary: "End the session that chaya login made.",
    flags: { url, json },
    run: async ({ terminal, print, flags }) => {
      const server = serverUrl(flags.url, terminal.environment);
      const session = savedSession(server, terminal.environment);
      if (session === undefined) {
        const what = `There is no session at ${server}.`;
        throw new CliError({ what, why: `Sessions are in ${sessionsFile(terminal.environment)}.` });
      }
      await endSession(server, session.token);
      await saveSession(server, terminal.environment, undefined);
      print({ url: server, user: session.user }, () => `Logged ${session.user} out of ${server}.\n`);
    },
  }),
];

interface LoginLink {
  /** Undefined: only the token was given. */
  readonly server: string | undefined;
  readonly token: string;
}

/** The token stands in the fragment, which nobody but the reader of the link sees. */
function readLink(text: string): LoginLink {
  if (/^[\w-]+$/.test(text)) return { server: undefined, token: text };
  const link = URL.canParse(text) ? new URL(text) : undefined;
  const token = /^#login=([\w-]+)$/.exec(link?.hash ?? "")?.[1];
  if (link === undefined || token === undefined)
    throw usageError("This is no login link.", "An administrator makes one with: chaya access users login-link USER");
  return { server: link.origin + link.pathname.replace(/\/console\/?$/, ""), token };
}

function loggedIn(server: string, user: string, expiresAt: string): string {
  return `Logged in at ${server} as ${user} until ${expiresAt}.\n`;
}

/** A session that the server does not know any more has ended. */
async function endSession(server: string, token: string): Promise<void> {
  try {
    await createClient({ url: server, headers: { authorization: `Bearer ${token}` } }).chaya.deleteSession();
  } catch (error) {
    if (!isProblem(error, "credentials-invalid") && !isProblem(error, "session-missing")) throw error;
  }
}
