import { mkdir, open, readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { limits } from "@chaya/contract";
import { isId } from "../../../kernel/ids.ts";

/**
 * Where payloads lie: `ROOT/01KA/BC/01KABC…`. Ids begin with their time, so a directory holds what was written within
 * about 17 minutes, and walking directories and files in byte order walks the ids in order.
 */
export class PayloadDirectories {
  readonly root: string;
  readonly #incoming: string;

  /** `server` is the name of this one among those that share the directory. */
  constructor(root: string, server: string) {
    this.root = root;
    this.#incoming = join(root, "incoming", server);
  }

  /** Makes what is missing and removes what a crash of this server left half written, or of one that never came back. */
  async open(nowMs: number): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
    await removeAbandoned(dirname(this.#incoming), nowMs - limits.payloadOrphanAgeMsMin);
    await syncDirectory(this.root);
    await syncDirectory(dirname(this.root));
  }

  pathOf(id: string): string {
    return join(this.root, id.slice(0, 4), id.slice(4, 6), id);
  }

  incomingPathOf(id: string): string {
    return join(this.#incoming, id);
  }

  /** Makes the directory of a payload and sees to it that it outlives a power cut. */
  async makeDirectoryOf(id: string): Promise<void> {
    const directory = dirname(this.pathOf(id));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await syncDirectory(dirname(directory));
    await syncDirectory(this.root);
  }

  /**
   * Every stored id after `afterId`, in order. What is written or removed meanwhile may or may not be seen. Directories
   * that are found empty are removed; a writer that needs one makes it again.
   */
  async *ids(afterId = ""): AsyncGenerator<string> {
    for (const first of await namesIn(this.root, 4, afterId.slice(0, 4))) {
      const seconds = await namesIn(join(this.root, first), 2, afterId.startsWith(first) ? afterId.slice(4, 6) : "");
      for (const second of seconds) {
        const ids = await namesIn(join(this.root, first, second), 26, "");
        if (ids.length === 0) await removeIfEmpty(join(this.root, first, second));
        for (const id of ids) if (id > afterId && isId(id)) yield id;
      }
      if (seconds.length === 0) await removeIfEmpty(join(this.root, first));
    }
  }
}

/** The files of other servers that nobody has written to since `beforeMs`: a write never stands still for so long. */
async function removeAbandoned(incoming: string, beforeMs: number): Promise<void> {
  for (const { name, parentPath } of await filesIn(incoming)) {
    const path = join(parentPath, name);
    try {
      if ((await stat(path)).mtimeMs < beforeMs) await rm(path, { force: true });
    } catch (error) {
      if (!isFileError(error, "ENOENT")) throw error;
    }
  }
}

async function filesIn(directory: string) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile());
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!isFileError(error, "ENOTEMPTY", "EEXIST", "ENOENT")) throw error;
  }
}

/** Names of a certain length from `from` on, in byte order; none when the directory is gone. */
async function namesIn(directory: string, length: number, from: string): Promise<readonly string[]> {
  try {
    const names = await readdir(directory);
    return names.filter((name) => name.length === length && name >= from).sort();
  } catch (error) {
    if (isFileError(error, "ENOENT")) return [];
    throw error;
  }
}

/** Makes renames, new and removed names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

export function isFileError(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}
