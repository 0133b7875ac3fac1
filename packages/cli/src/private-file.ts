import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { mkdir, open, realpath, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError } from "./cli-error.ts";

/** A file of secrets; undefined when there is none. Throws CliError for one that others may read, as ssh does for keys. */
export function readPrivateFile(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  // Windows has no such bits.
  if (process.platform !== "win32" && (found.mode & 0o077) !== 0)
    throw new CliError({
      what: `${file} can be read by other users of this machine.`,
      why: "Whoever reads it can do what you can do.",
      hint: `Run: chmod 600 ${file}`,
    });
  return readFileSync(file, "utf8");
}

/** Whole or not at all, for its owner only. Missing folders are made, for the owner only too; a link to a file stays one. */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // Where there is no file yet, it is its own.
  const target = await realpath(file).catch(() => file);
  const unfinished = `${target}.${randomBytes(6).toString("hex")}`;
  {
    await using opened = await open(unfinished, "wx", 0o600);
    await opened.writeFile(text);
    await opened.sync();
  }
  await rename(unfinished, target);
}
