import { stat } from "node:fs/promises";
import { isFileError, type PayloadDirectories } from "./payload-directories.ts";

/**
 * How many bytes the payloads take on disk. Counted once, in order of id and in the background, and kept up from then
 * on. It is a figure for people: a payload that appears in the moment the count passes its place may be missed.
 */
export class StoredBytes {
  readonly #directories: PayloadDirectories;
  #bytes = 0;
  /** What lies up to here is in the count. */
  #countedUpToId: string | "all" = "";
  #counting: Promise<void> | undefined;

  constructor(directories: PayloadDirectories) {
    this.#directories = directories;
  }

  async read(): Promise<number> {
    this.#counting ??= this.#count();
    await this.#counting;
    return this.#bytes;
  }

  changed(id: string, bytes: number): void {
    if (this.#countedUpToId === "all" || id <= this.#countedUpToId) this.#bytes += bytes;
  }

  async #count(): Promise<void> {
    for await (const id of this.#directories.ids()) {
      this.#countedUpToId = id;
      this.#bytes += await sizeOf(this.#directories.pathOf(id));
    }
    this.#countedUpToId = "all";
  }
}

/** Bytes of a file; 0 when it is gone. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isFileError(error, "ENOENT")) return 0;
    throw error;
  }
}
