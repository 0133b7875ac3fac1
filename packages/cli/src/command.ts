import { parseArgs } from "node:util";
import type { Client } from "@chaya/client";
import { type ExitCode, usageError } from "./cli-error.ts";
import { nearest } from "./nearest.ts";
import type { Terminal } from "./terminal.ts";

/** One word of a command: what it is called in help, and whether it may be left out or repeated. */
interface Argument {
  readonly summary: string;
  readonly isOptional?: true;
  /** Takes all remaining words; the last argument only. */
  readonly isRepeated?: true;
}

interface Flag {
  readonly summary: string;
  /** What the value is called in help; a flag without one is either there or not. */
  readonly value?: string;
  readonly isRepeated?: true;
  readonly short?: string;
  /** Shown in no help and no completion. */
  readonly isHidden?: true;
}

export type Arguments = Readonly<Record<string, Argument>>;
export type Flags = Readonly<Record<string, Flag>>;

type ArgumentValues<A extends Arguments> = {
  readonly [Name in keyof A]: A[Name] extends { isRepeated: true }
    ? readonly string[]
    : A[Name] extends { isOptional: true }
      ? string | undefined
      : string;
};
type FlagValues<F extends Flags> = {
  readonly [Name in keyof F]: F[Name] extends { isRepeated: true }
    ? readonly string[]
    : F[Name] extends { value: string }
      ? string | undefined
      : boolean;
};

/** What a running command is given. */
export interface Invocation<A extends Arguments = Arguments, F extends Flags = Flags> {
  readonly arguments: ArgumentValues<A>;
  readonly flags: FlagValues<F>;
  readonly terminal: Terminal;
  /** Of the server that --url and the environment name. */
  readonly client: Client;
  /** Prints the value for programs when --json was given, else the text for people. */
  print(value: unknown, text: () => string): void;
}

export interface Command {
  /** The words that name it, as in `apps list`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly arguments: Arguments;
  readonly flags: Flags;
  readonly examples: readonly string[];
  readonly run: (invocation: Invocation) => Promise<ExitCode | undefined>;
}

export interface CommandDeclaration<A extends Arguments, F extends Flags> {
  readonly path: string;
  readonly summary: string;
  readonly arguments?: A;
  readonly flags?: F;
  readonly examples?: readonly string[];
  readonly run: (invocation: Invocation<A, F & typeof serverFlags>) => Promise<ExitCode | undefined> | Promise<void>;
}

/** Every command that talks to a server has these. */
const serverFlags = {
  url: { value: "URL", summary: "The server (CHAYA_URL, FN_API_URL, http://127.0.0.1:8080)." },
  data: {
    value: "DIRECTORY",
    summary: "The data directory of a server of this machine, for its administrator's token.",
  },
  json: { summary: "Print JSON for programs." },
} as const satisfies Flags;

/** Declares a command; parsing, help and completion derive from this. The types of its words are checked here. */
export function serverCommand<const A extends Arguments, const F extends Flags>(
  declaration: CommandDeclaration<A, F>,
): Command {
  return localCommand<A, F & typeof serverFlags>({
    ...declaration,
    // The intersection of two known objects is what their spread is.
    flags: { ...declaration.flags, ...serverFlags } as F & typeof serverFlags,
  });
}

/** A command that works without a server. */
export function localCommand<const A extends Arguments, const F extends Flags>(
  declaration: Omit<CommandDeclaration<A, F>, "run"> & {
    readonly run: (invocation: Invocation<A, F>) => Promise<ExitCode | undefined> | Promise<void>;
  },
): Command {
  return {
    path: declaration.path.split(" "),
    summary: declaration.summary,
    arguments: declaration.arguments ?? {},
    flags: declaration.flags ?? {},
    examples: declaration.examples ?? [],
    // `parseWords` builds the values from these very declarations.
    run: async (invocation) => (await declaration.run(invocation as unknown as Invocation<A, F>)) ?? undefined,
  };
}

export interface ParsedWords {
  readonly arguments: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** Reads the words after a command's name. Throws a usage error that names the nearest flag. */
export function parseWords(command: Command, words: readonly string[]): ParsedWords {
  const options = Object.entries(command.flags).map(([name, flag]) => [
    name,
    { type: flag.value === undefined ? "boolean" : "string", ...(flag.short && { short: flag.short }) } as const,
  ]);
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(options),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const flags = new Map<string, string | boolean | string[]>();
  for (const [name, flag] of Object.entries(command.flags)) {
    if (flag.isRepeated) flags.set(name, []);
    else if (flag.value === undefined) flags.set(name, false);
  }
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    else if (token.kind === "option") takeFlag(command, token, flags);
  }
  return { arguments: nameArguments(command, positionals), flags: Object.fromEntries(flags) };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
}

function takeFlag(command: Command, token: OptionToken, flags: Map<string, string | boolean | string[]>): void {
  const flag = Object.hasOwn(command.flags, token.name) ? command.flags[token.name] : undefined;
  const help = `See: chaya ${command.path.join(" ")} --help`;
  if (flag === undefined) {
    const guess = nearest(token.name, Object.keys(command.flags));
    const hint = guess === undefined ? help : `Did you mean --${guess}?`;
    throw usageError(`'chaya ${command.path.join(" ")}' has no flag ${token.rawName}.`, hint);
  }
  if (flag.value === undefined) {
    if (token.value !== undefined) throw usageError(`The flag --${token.name} takes no value.`, help);
    flags.set(token.name, true);
    return;
  }
  if (token.value === undefined || (token.value.startsWith("--") && token.value.length > 2)) {
    throw usageError(`The flag --${token.name} needs a value: --${token.name} ${flag.value}`, help);
  }
  const before = flags.get(token.name);
  if (Array.isArray(before)) before.push(token.value);
  else if (before !== undefined) throw usageError(`The flag --${token.name} was given twice.`, help);
  else flags.set(token.name, token.value);
}

function nameArguments(command: Command, words: readonly string[]): ParsedWords["arguments"] {
  const rest = [...words];
  const named: Record<string, string | readonly string[] | undefined> = {};
  for (const [name, argument] of Object.entries(command.arguments)) {
    if (rest.length === 0 && !argument.isOptional) {
      throw usageError(`${name} is missing: ${argument.summary}`, `Usage: ${usageLine(command)}`);
    }
    named[name] = argument.isRepeated ? rest.splice(0) : rest.shift();
  }
  if (rest.length > 0) throw usageError(`'${rest[0]}' is one word too many.`, `Usage: ${usageLine(command)}`);
  return named;
}

export function usageLine(command: Command): string {
  const words = Object.entries(command.arguments).map(([name, argument]) => {
    const word = argument.isRepeated ? `${name}…` : name;
    return argument.isOptional ? `[${word}]` : word;
  });
  return ["chaya", ...command.path, ...words].join(" ");
}
