import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { stampOf } from "./bundle-memory.ts";

/** Path → what differs when it changes. */
export type FolderState = ReadonlyMap<string, string>;

const absent = "absent";

/** How everything below a folder is now. */
export async function folderState(
  folder: string,
  isWatched: (path: string, isFolder: boolean) => boolean,
): Promise<FolderState> {
  const state = new Map<string, string>();
  const waiting = [folder];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (!isWatched(path, entry.isDirectory())) continue;
      state.set(path, await stateOf(path));
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  return state;
}

async function stateOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return absent;
  return found.isDirectory() ? "folder" : stampOf(found);
}

/**
 * What the build commands of a function write into its folder: no reason to run them again. Whoever saves a file while
 * they run must not be overlooked, so a file of the sources counts as theirs only when two builds in a row wrote it.
 */
export class BuildOutput {
  readonly #written = new Map<string, string>();
  #suspects: ReadonlySet<string> = new Set();
  #isFirst = true;

  /** A build has run between the two states. */
  learn(before: FolderState, after: FolderState): void {
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
      (path) => before.get(path) !== after.get(path),
    );
    const suspects = new Set<string>();
    for (const path of changed) {
      const isTheirs = this.#isFirst || !before.has(path) || this.#written.has(path) || this.#suspects.has(path);
      if (isTheirs) this.#written.set(path, after.get(path) ?? absent);
      else suspects.add(path);
    }
    this.#suspects = suspects;
    this.#isFirst = false;
  }

  /** Whether a path is as the build left it. */
  async has(path: string): Promise<boolean> {
    const left = this.#written.get(path);
    return left !== undefined && left === (await stateOf(path));
  }
}
