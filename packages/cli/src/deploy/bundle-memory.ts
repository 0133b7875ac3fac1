import type { Stats } from "node:fs";
import { readFile } from "node:fs/promises";
import { CodeBundler, type CodeSource } from "./bundle-code.ts";

/** A file that changed so shortly before it was read may change again without any of its times showing it. */
const settledMs = 100;
const keptBytesMax = 64 * 1024 * 1024;

interface KeptFile {
  readonly stamp: string;
  readonly bytes: Buffer;
}

/** What stays between two packings of one folder, so that the next one reads and parses only what changed. */
export class BundleMemory implements AsyncDisposable {
  readonly #nowMs: () => number;
  readonly #files = new Map<string, KeptFile>();
  #keptBytes = 0;
  #bundler: { readonly key: string; readonly bundler: CodeBundler } | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The bytes of a file of which `found` was just asked. */
  readonly readFile = async (path: string, found: Stats): Promise<Buffer> => {
    const stamp = stampOf(found);
    const kept = this.#files.get(path);
    if (kept?.stamp === stamp) return kept.bytes;
    this.#forgetFile(path);
    const isSettled = this.#nowMs() - found.ctimeMs > settledMs;
    const bytes = await readFile(path);
    if (isSettled && this.#keptBytes + bytes.length <= keptBytesMax) {
      this.#files.set(path, { stamp, bytes });
      this.#keptBytes += bytes.length;
    }
    return bytes;
  };

  /** The bundler of this code; owned by the memory. */
  async bundler(source: CodeSource): Promise<CodeBundler> {
    const key = JSON.stringify(source);
    if (this.#bundler?.key === key) return this.#bundler.bundler;
    await this.forgetCode();
    const bundler = new CodeBundler(source);
    this.#bundler = { key, bundler };
    return bundler;
  }

  /** Packages were installed or removed: what was found out about them may be wrong. */
  async forgetCode(): Promise<void> {
    await this.#bundler?.bundler[Symbol.asyncDispose]();
    this.#bundler = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.forgetCode();
  }

  #forgetFile(path: string): void {
    this.#keptBytes -= this.#files.get(path)?.bytes.length ?? 0;
    this.#files.delete(path);
  }
}

/** Differs when the file does: its content, or which file it is. */
export function stampOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}
