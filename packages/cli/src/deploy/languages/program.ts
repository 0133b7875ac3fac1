import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { CliError } from "../../cli-error.ts";
import { type BuildLanguage, checkScript, commandOf, type LanguageSource } from "./language.ts";

/** A script for bash. */
export const bash: BuildLanguage = async (source) => {
  const entrypoint = commandOf(source.functionFile, ["bash", "func.sh"]);
  checkScript(source, entrypoint, ".sh");
  await checkProgram(source, entrypoint);
  return { files: [], entrypoint, ignored: [] };
};

/** Whatever `cmd` starts; commands under `build:` may have made it. */
export const program: BuildLanguage = async (source) => {
  const { functionFile } = source;
  const entrypoint = commandOf(functionFile, []);
  if (entrypoint.length === 0) {
    throw new CliError({
      what: `${functionFile.fileName} does not say what to start.`,
      why: "With 'runtime: any' there is no usual program.",
      hint: "Name it, as in: cmd: ./func",
    });
  }
  await checkProgram(source, entrypoint);
  return { files: [], entrypoint, ignored: [] };
};

/** A program of the folder has to be there and executable; others are looked for where the function runs. */
async function checkProgram({ folder, functionFile }: LanguageSource, [word = ""]: readonly string[]): Promise<void> {
  if (!word.includes("/") || word.startsWith("/")) return;
  const path = join(folder, word);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) {
    throw new CliError({
      what: `The program '${word}' is not in ${folder}.`,
      why: `${functionFile.fileName} starts it.`,
      hint: "Put it there, or have it built by commands under 'build'.",
    });
  }
  await access(path, constants.X_OK).catch((cause) => {
    const what = `The program '${word}' may not be executed.`;
    throw new CliError({ what, hint: `Allow it with: chmod +x ${path}` }, { cause });
  });
}
