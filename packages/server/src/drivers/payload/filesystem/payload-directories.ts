import { mkdir, open, readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isId } from "../../../kernel/ids.ts";

/**
 * Where payloads lie: `ROOT/01KA/BC/01KABC…`. Ids begin with their time, so a directory holds what was written within
 * about 17 minutes, and walking directories and files in byte order walks the ids in order.
 */
export class PayloadDirectories {
  readonly root: string;
  readonly incoming: string;

  constructor(root: string) {
    this.root = root;
    this.incoming = join(root, "incoming");
  }

  /** Makes what is missing and removes what a crash left half written. */
  async open(): Promise<void> {
    await rm(this.incoming, { recursive: true, force: true });
    await mkdir(this.incoming, { recursive: true, mode: 0o700 });
    await syncDirectory(this.root);
    await syncDirectory(dirname(this.root));
  }

  pathOf(id: string): string {
    return join(this.root, id.slice(0, 4), id.slice(4, 6), id);
  }

  incomingPathOf(id: string): string {
    return join(this.incoming, id);
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
