import { existsSync } from "node:fs";
import { join } from "node:path";
import { CliError } from "../../cli-error.ts";
import type { Terminal } from "../../terminal.ts";
import type { FunctionFile } from "../function-file.ts";
import type { TarFile } from "../tar.ts";

export interface LanguageSource {
  readonly folder: string;
  readonly functionFile: FunctionFile;
  readonly terminal: Terminal;
}

/** What a function is, once its dependencies are installed and its program is compiled on this machine. */
export interface BuiltCode {
  /** What the bundle holds beside the folder's own files; these win where both have one. */
  readonly files: readonly TarFile[];
  /** The program and its arguments; paths are relative to the bundle. */
  readonly entrypoint: readonly string[];
  /** What of the folder is not needed to run, in the language of .gitignore. */
  readonly ignored: readonly string[];
}

/** Builds a function of one language. Throws a CliError with what the compiler or installer printed. */
export type BuildLanguage = (source: LanguageSource) => Promise<BuiltCode>;

/** Fn's images keep the code here; our instances start in it. */
const codeDirectory = "/function/";

/** The command that func.yaml gives, or the usual one. */
export function commandOf(functionFile: FunctionFile, usual: readonly string[]): readonly string[] {
  const given = [...(functionFile.entrypoint ?? []), ...(functionFile.cmd ?? [])];
  return (given.length === 0 ? usual : given).map((word, index) => {
    if (!word.startsWith(codeDirectory)) return word;
    // A program without a slash would be looked for in PATH.
    return `${index === 0 ? "./" : ""}${word.slice(codeDirectory.length)}`;
  });
}

/** Throws when the command names a script of this extension that is not there. */
export function checkScript(
  { folder, functionFile }: LanguageSource,
  words: readonly string[],
  extension: string,
): void {
  const script = words.find((word) => word.endsWith(extension));
  if (script === undefined || script.startsWith("-") || existsSync(join(folder, script))) return;
  throw new CliError({
    what: `The entry file '${script}' is not in ${folder}.`,
    why: `The command is: ${words.join(" ")}`,
    hint: `Name a file of the folder in ${functionFile.fileName}, as in: entrypoint: ${words[0]} func${extension}`,
  });
}
