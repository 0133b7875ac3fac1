import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { CliError } from "../cli-error.ts";
import type { Terminal } from "../terminal.ts";

export interface ProgramRun {
  readonly folder: string;
  /** Begins the sentence that says it failed. */
  readonly what: string;
  readonly hint: string;
  readonly environment: Terminal["environment"];
}

/** The rest of a longer output is dropped from its middle: compilers say what matters first, installers last. */
const linesShownMax = 40;
const outputBytesMax = 8 * 1024 * 1024;

/** Debian's package of a program that builds functions. */
const debianPackages: Readonly<Record<string, string>> = {
  bundle: "bundler",
  cargo: "cargo",
  go: "golang-go",
  javac: "default-jdk-headless",
  mvn: "maven",
  npm: "npm",
  pip: "python3-pip",
  python3: "python3",
  ruby: "ruby",
  rustc: "rustc",
};

/**
 * Runs a program in a folder and returns its standard output. When it fails, what it printed is part of the error; when
 * it is not there, the error names Debian's package.
 */
export async function runProgram(command: readonly string[], run: ProgramRun): Promise<string> {
  const [program = "", ...rest] = command;
  const printed = { stdout: "", stderr: "" };
  const end = await new Promise<string>((resolve, reject) => {
    const child = spawn(program, rest, { cwd: run.folder, env: run.environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        if (printed[stream].length < outputBytesMax) printed[stream] += chunk;
      });
    }
    child.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? reject(missingProgram(program)) : resolve(error.message),
    );
    child.on("close", (code, signal) => resolve(code === 0 ? "" : `it ended with ${signal ?? `code ${code}`}`));
  });
  if (end === "") return printed.stdout;
  const output = stripVTControlCharacters(`${printed.stderr}${printed.stdout}`).trim();
  throw new CliError({
    what: `${run.what} failed: ${end}.`,
    output: output === "" ? undefined : shownLines(output.split("\n")).join("\n"),
    hint: run.hint,
  });
}

/** What to tell about a program that building this function needs and this machine does not have. */
export function missingProgram(program: string): CliError {
  const debianPackage = debianPackages[program];
  return new CliError({
    what: `The program '${program}' is not installed; this function cannot be built without it.`,
    why: "Functions are built on the machine that deploys; the server needs no compiler.",
    hint:
      debianPackage === undefined ? "Install it and try again." : `On Debian: sudo apt-get install ${debianPackage}`,
  });
}

function shownLines(lines: readonly string[]): readonly string[] {
  if (lines.length <= linesShownMax) return lines;
  const half = linesShownMax / 2;
  return [...lines.slice(0, half), `… ${lines.length - linesShownMax} lines …`, ...lines.slice(-half)];
}
