import { createClient } from "@chaya/client";
import { complaintOf, complaintText, type ExitCode, exitCode, usageError } from "./cli-error.ts";
import { type Invocation, type ParsedWords, parseWords } from "./command.ts";
import { commands } from "./commands.ts";
import { type Credential, credentialHeaders, findCredential, refusedCredential } from "./credentials.ts";
import { commandHelp, overview } from "./help.ts";
import { nearest } from "./nearest.ts";
import { serverUrl } from "./server-url.ts";
import { processTerminal, type Terminal } from "./terminal.ts";

/** Runs the command that `words` give, tells what went wrong, and sets the exit code of the process. */
export async function runCli(words: readonly string[] = process.argv.slice(2)): Promise<void> {
  process.exitCode = await runWords(words, processTerminal());
}

/** Runs one command on any terminal. Never rejects for what the user can put right. */
export async function runWords(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(words, terminal);
  } catch (error) {
    const complaint = complaintOf(error);
    if (complaint === undefined) throw error;
    terminal.stderr.write(complaintText(complaint));
    return complaint.exitCode;
  }
}

async function dispatch(given: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const words = given[0] === "--version" ? ["version", ...given.slice(1)] : given;
  const isHelp = words.some((word) => word === "--help" || word === "-h");
  const command = commands.find((candidate) => candidate.path.every((word, index) => words[index] === word));
  if (command === undefined) return withoutCommand(words, terminal);
  if (isHelp && command.path[0] !== "complete") {
    terminal.stdout.write(commandHelp(command));
    return exitCode.ok;
  }
  const parsed = parseWords(command, words.slice(command.path.length));
  const { flags } = parsed;
  let shown: { readonly url: string; readonly credential: Credential | undefined } | undefined;
  const invocation: Invocation = {
    // Built from the declarations that type them.
    arguments: parsed.arguments as Invocation["arguments"],
    flags: flags as Invocation["flags"],
    terminal,
    get client() {
      shown = credentialFor(flags, terminal);
      return createClient({ url: shown.url, headers: credentialHeaders(shown.credential) });
    },
    print: (value, text) => terminal.stdout.write(flags.json === true ? `${JSON.stringify(value, null, 2)}\n` : text()),
  };
  try {
    return (await command.run(invocation)) ?? exitCode.ok;
  } catch (error) {
    throw (shown && refusedCredential(error, shown)) ?? error;
  }
}

/** The server that the words or the environment name, and what it is shown. */
function credentialFor({ url: given, data }: ParsedWords["flags"], { environment, directory, nowMs }: Terminal) {
  const textOf = (flag: typeof given) => (typeof flag === "string" ? flag : undefined);
  const url = serverUrl(textOf(given), environment);
  return { url, credential: findCredential(url, { environment, directory, data: textOf(data), nowMs: nowMs() }) };
}

/** Help, the verbs of a noun, or the nearest thing to what was typed. */
function withoutCommand(words: readonly string[], terminal: Terminal): ExitCode {
  const named = words.filter((word) => !word.startsWith("-"));
  const wanted = named[0] === "help" ? named.slice(1) : named;
  if (wanted.length === 0 && (words.length === 0 || named[0] === "help" || words.some(isHelpWord))) {
    terminal.stdout.write(overview(visible));
    return exitCode.ok;
  }
  const family = visible.filter(({ path }) => isWithin(path, wanted));
  const [only] = family;
  if (only !== undefined && only.path.length === wanted.length) {
    terminal.stdout.write(commandHelp(only));
    return exitCode.ok;
  }
  if (wanted.length > 0 && family.length > 0) {
    const output = words.some(isHelpWord) || named[0] === "help" ? terminal.stdout : terminal.stderr;
    output.write(overview(family));
    return output === terminal.stdout ? exitCode.ok : exitCode.usage;
  }
  throw unknownCommand(wanted);
}

/** Whether the words that name a command begin with these. */
function isWithin(path: readonly string[], words: readonly string[]): boolean {
  return words.every((word, index) => path[index] === word);
}

const visible = commands.filter((command) => command.path[0] !== "complete");
const isHelpWord = (word: string) => word === "--help" || word === "-h";

/** Compares with what may stand at the first word that fits nothing. */
function unknownCommand(wanted: readonly string[]): Error {
  const strange = wanted.findIndex(
    (_word, index) => !visible.some(({ path }) => isWithin(path, wanted.slice(0, index + 1))),
  );
  const end = Math.max(0, strange);
  const typed = wanted.slice(0, end + 1).join(" ");
  const siblings = visible.filter(({ path }) => isWithin(path, wanted.slice(0, end)));
  const guess = nearest(
    typed,
    siblings.map(({ path }) => path.slice(0, end + 1).join(" ")),
  );
  const hint = guess === undefined ? "See what there is with: chaya help" : `Did you mean: chaya ${guess}`;
  return usageError(`There is no command '${typed}'.`, hint);
}

if (import.meta.main) await runCli();
