import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { CliError } from "../../cli-error.ts";
import { withProgress } from "../../progress.ts";
import { compilerFolder } from "../build-cache.ts";
import { runProgram } from "../run-program.ts";
import { type BuildLanguage, commandOf, type LanguageSource } from "./language.ts";

/** One program that cargo makes; what it compiled on the way is kept for the next deploy. */
export const rust: BuildLanguage = async (source) => {
  const program = await withProgress(source.terminal, "Compiling with cargo build", build(source));
  return {
    files: [{ path: "func", bytes: await readFile(program), isExecutable: true }],
    entrypoint: commandOf(source.functionFile, ["./func"]),
    ignored: ["/src/", "/target/", "/vendor/", "Cargo.toml", "Cargo.lock"],
  };
};

/** Gives the path of the program. */
async function build({ folder, functionFile, terminal }: LanguageSource): Promise<string> {
  const run = {
    folder,
    what: "cargo build",
    hint: "Correct it and deploy again; crates come from the network once, or from a vendored source.",
    environment: { ...terminal.environment, CARGO_TARGET_DIR: await compilerFolder(terminal, `rust ${folder}`) },
  };
  const target = terminal.environment.CARGO_BUILD_TARGET ?? (await staticTarget(run));
  const targetFlags = target === undefined ? [] : ["--target", target];
  const messages = await runProgram(
    ["cargo", "build", "--release", "--message-format=json-render-diagnostics", ...targetFlags],
    run,
  );
  const programs = messages
    .split("\n")
    .map(executableOf)
    .filter((path) => path !== undefined);
  const [only] = programs;
  const named = programs.find((path) => ["func", functionFile.name].includes(basename(path)));
  const program = programs.length === 1 ? only : named;
  if (program !== undefined) return program;
  const names = programs.map((path) => basename(path)).join(", ");
  throw new CliError({
    what: names === "" ? "Cargo.toml makes no program." : `Cargo.toml makes several programs: ${names}.`,
    hint: "Call the one that is the function 'func': [[bin]] with name = \"func\".",
  });
}

/**
 * musl's target, where it is installed: such a program runs on every Linux. A static one of glibc would still look for
 * the machine's own glibc to resolve names.
 */
async function staticTarget(run: Parameters<typeof runProgram>[1]): Promise<string | undefined> {
  const version = await runProgram(["rustc", "--version", "--verbose"], { ...run, what: "rustc" });
  const musl = /^host: (.*-linux)-gnu$/m.exec(version)?.[1];
  if (musl === undefined) return undefined;
  const target = `${musl}-musl`;
  const library = await runProgram(["rustc", "--print", "target-libdir", "--target", target], run);
  return existsSync(library.trim()) ? target : undefined;
}

/** Of one line of cargo's JSON messages: the program it tells of, if it does. */
function executableOf(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  // Cargo's documented format for tools.
  const message = JSON.parse(line) as { readonly reason?: string; readonly executable?: string | null };
  return message.reason === "compiler-artifact" ? (message.executable ?? undefined) : undefined;
}
