import { createClient } from "@chaya/client";
import { complaintOf, complaintText, type ExitCode, exitCode, usageError } from "./cli-error.ts";
import { type Command, type Invocation, parseWords } from "./command.ts";
import { commands } from "./commands.ts";
import { credentialHeaders } from "./credentials.ts";
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
  const invocation: Invocation = {
    // Built from the declarations that type them.
    arguments: parsed.arguments as Invocation["arguments"],
    flags: flags as Invocation["flags"],
    terminal,
    get client() {
      const url = serverUrl(typeof flags.url === "string" ? flags.url : undefined, terminal.environment);
      return createClient({ url, headers: credentialHeaders(url, terminal.environment) });
    },
    print: (value, text) => terminal.stdout.write(flags.json === true ? `${JSON.stringify(value, null, 2)}\n` : text()),
  };
  return (await command.run(invocation)) ?? exitCode.ok;
}

/** Help, the verbs of a noun, or the nearest thing to what was typed. */
function withoutCommand(words: readonly string[], terminal: Terminal): ExitCode {
  const named = words.filter((word) => !word.startsWith("-"));
  const wanted = named[0] === "help" ? named.slice(1) : named;
  if (wanted.length === 0 && (words.length === 0 || named[0] === "help" || words.some(isHelpWord))) {
    terminal.stdout.write(overview(visible));
    return exitCode.ok;
  }
  const family = visible.filter((command) => command.path[0] === wanted[0]);
  const exact = family.find(
    (command) => command.path.length === wanted.length && command.path.join(" ") === wanted.join(" "),
  );
  if (exact !== undefined) {
    terminal.stdout.write(commandHelp(exact));
    return exitCode.ok;
  }
  if (family.length > 0 && wanted.length === 1) {
    const output = words.some(isHelpWord) || named[0] === "help" ? terminal.stdout : terminal.stderr;
    output.write(overview(family));
    return output === terminal.stdout ? exitCode.ok : exitCode.usage;
  }
  throw unknownCommand(wanted, family);
}

const visible = commands.filter((command) => command.path[0] !== "complete");
const isHelpWord = (word: string) => word === "--help" || word === "-h";

function unknownCommand(wanted: readonly string[], family: readonly Command[]): Error {
  const typed = wanted.slice(0, family.length > 0 ? 2 : 1).join(" ");
  const known = family.length > 0 ? family.map(({ path }) => path.join(" ")) : visible.map(({ path }) => path[0] ?? "");
  const guess = nearest(typed, known);
  const hint = guess === undefined ? "See what there is with: chaya help" : `Did you mean: chaya ${guess}`;
  return usageError(`There is no command '${typed === "" ? "" : typed}'.`, hint);
}

if (import.meta.main) await runCli();
