import { spawn } from "node:child_process";
import { CliError } from "../cli-error.ts";

const outputBytesKept = 16 * 1024;

/** Runs a program in a folder; when it fails, what it printed last is part of the error. */
export async function runProgram(
  command: readonly string[],
  where: { readonly folder: string; readonly what: string; readonly hint: string },
): Promise<void> {
  const [program = "", ...rest] = command;
  let output = "";
  const end = await new Promise<string>((resolve) => {
    const child = spawn(program, rest, { cwd: where.folder, stdio: ["ignore", "pipe", "pipe"] });
    const keep = (chunk: Buffer) => {
      output = (output + chunk).slice(-outputBytesKept);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? "" : `it ended with ${signal ?? `code ${code}`}`));
  });
  if (end === "") return;
  const lines = output.trim().split("\n").slice(-12).join("\n");
  throw new CliError({
    what: `${where.what} failed: ${end}.`,
    why: lines === "" ? undefined : lines,
    hint: where.hint,
  });
}
