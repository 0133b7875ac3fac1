import {
  constants,
  copyFileSync,
  type Dirent,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";

/** So many are made in one turn of the event loop: about a millisecond. */
const entriesPerTurn = 64;

/**
 * Puts the code of a bundle into an empty directory: the same files by another name where the file system allows,
 * copies elsewhere. Whoever sees them there must not be able to write. Each takes microseconds, fewer than its turn
 * through other threads would.
 */
export async function fillCodeDirectory(target: string, bundleDirectory: string): Promise<void> {
  let count = 0;
  for (const { path, entry } of entriesBelow(bundleDirectory)) {
    makeEntry(entry, join(bundleDirectory, path), join(target, path));
    if (++count % entriesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Every entry, a directory before what is in it; paths are relative. */
function* entriesBelow(root: string, folder = ""): Generator<{ readonly path: string; readonly entry: Dirent }> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    yield { path, entry };
    if (entry.isDirectory()) yield* entriesBelow(root, path);
  }
}

function makeEntry(entry: Dirent, from: string, to: string): void {
  if (entry.isDirectory()) mkdirSync(to);
  else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else makeFile(from, to);
}

function makeFile(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Another file system, one without such links, or too many of them.
    if (!(error instanceof Error && "code" in error && /^(EXDEV|EPERM|EMLINK|ENOTSUP)$/.test(String(error.code))))
      throw error;
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
}
