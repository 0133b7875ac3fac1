import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { CliError } from "../../cli-error.ts";
import { cachedBuild } from "../build-cache.ts";
import { folderFiles } from "../folder-files.ts";
import { missingProgram, runProgram } from "../run-program.ts";
import type { TarFile } from "../tar.ts";
import { type BuildLanguage, checkScript, commandOf, type LanguageSource } from "./language.ts";

/** Where packages lie in the bundle; the server puts it on PYTHONPATH. Fn's images have it at /python. */
const packagesDirectory = ".chaya/python";
const fnPrograms = "/python/bin/";

/** Python's code as it is, with the packages of requirements.txt. */
export const python: BuildLanguage = async (source) => {
  const files = await packages(source);
  const words = commandOf(source.functionFile, ["python3", "func.py"]);
  const entrypoint = words[0]?.startsWith(fnPrograms) ? packageCommand(words, files) : words;
  checkScript(source, entrypoint, ".py");
  return { files, entrypoint, ignored: ["__pycache__/", "*.pyc", ".venv/", "venv/"] };
};

/** Of a program that requirements.txt brings. Servers know Fn's own, `/python/bin/fdk FILE HANDLER`, as it is. */
function packageCommand([path = "", ...rest]: readonly string[], files: readonly TarFile[]): readonly string[] {
  const name = path.slice(fnPrograms.length);
  const script = `${packagesDirectory}/bin/${name}`;
  // Its first line names this machine's interpreter.
  const command = name === "fdk" ? [path] : ["python3", script];
  if (files.some((file) => file.path === script)) return [...command, ...rest];
  throw new CliError({
    what: `The function is started by '${name}', which requirements.txt does not install.`,
    why: `Its entrypoint is: ${[path, ...rest].join(" ")}`,
    hint: `Add a line to requirements.txt: ${name} — or use another entrypoint, as in: python3 func.py`,
  });
}

async function packages(source: LanguageSource): Promise<readonly TarFile[]> {
  const { folder, terminal } = source;
  const wanted = await readRequirements(folder, "requirements.txt");
  if (!wanted.hasPackages) return [];
  const run = {
    folder,
    what: "Python",
    hint: "Is 'python3' the Python that you mean?",
    environment: terminal.environment,
  };
  const version = await runProgram(["python3", "-c", "import sys; print(sys.version)"], run);
  const built = await cachedBuild(terminal, {
    // What lies in a folder may have changed since the last time.
    inputs: ["pip", version, ...wanted.contents, wanted.hasFolders ? `${terminal.nowMs()}` : ""],
    what: "Installing dependencies (once per requirements.txt)",
    make: (target) => install(source, target),
  });
  const options = { prefix: `${packagesDirectory}/`, isIgnored: () => false, mayLeave: false };
  return (await folderFiles(built, options)).files;
}

async function install({ folder, terminal }: LanguageSource, target: string): Promise<void> {
  const run = {
    folder,
    what: `pip install for ${folder}`,
    hint: "pip has to reach a package index; PIP_INDEX_URL or PIP_FIND_LINKS name another.",
    environment: terminal.environment,
  };
  const quietly = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"];
  const wanted = ["--no-compile", "--target", target, "--requirement", "requirements.txt"];
  try {
    await runProgram(["python3", "-m", "pip", "install", ...quietly, ...wanted], run);
  } catch (error) {
    if (error instanceof CliError && error.complaint.output?.includes("No module named pip"))
      throw missingProgram("pip");
    throw error;
  }
  await runProgram(["python3", "-c", compileAll, target, packagesDirectory], run);
}

/**
 * Compiled once here rather than at each cold start: the code of an instance cannot be written to, and a bundle has no
 * times, so the compiled files hold no time to be compared either, nor the place where they were made.
 */
const compileAll = `
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(sys.argv[1], quiet=2, stripdir=sys.argv[1], prependdir=sys.argv[2], invalidation_mode=mode)
`;

interface Requirements {
  readonly contents: readonly string[];
  readonly hasPackages: boolean;
  /** Some package is a folder or file of this machine. */
  readonly hasFolders: boolean;
}

/** A requirements file and those it names with -r and -c; pip's own words about what is wrong in them are better. */
async function readRequirements(folder: string, name: string, seen = new Set<string>()): Promise<Requirements> {
  const path = join(folder, name);
  if (seen.has(path) || !existsSync(path)) return { contents: [], hasPackages: false, hasFolders: false };
  seen.add(path);
  const text = await readFile(path, "utf8");
  const lines = text.split(/\r?\n/).map((line) => line.replace(/(^|\s)#.*/, "").trim());
  const named = lines.map((line) => /^(?:-r|-c|--requirement|--constraint)[\s=]*(.+)$/.exec(line)?.[1]);
  const further: Requirements[] = [];
  for (const other of named) {
    if (other !== undefined) further.push(await readRequirements(folder, normalize(join(dirname(name), other)), seen));
  }
  return {
    contents: [text, ...further.flatMap((one) => one.contents)],
    hasPackages:
      lines.some((line) => line !== "" && (!line.startsWith("-") || isFolder(line))) ||
      further.some((one) => one.hasPackages),
    hasFolders: lines.some(isFolder) || further.some((one) => one.hasFolders),
  };
}

function isFolder(line: string): boolean {
  return /^(-e|--editable)\b|^[./~]|\bfile:/.test(line);
}
