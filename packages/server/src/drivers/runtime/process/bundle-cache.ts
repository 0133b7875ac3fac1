import { existsSync, mkdtempSync, renameSync, statSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isProblem, limits } from "@chaya/contract";
import {
  ArchiveRefused,
  ArchiveThreads,
  removeTree,
  unpackArchive,
  unpackingPrefix,
} from "../../../kernel/archive/index.ts";
import type { Clock } from "../../../kernel/clock.ts";
import type { Logger } from "../../../kernel/logger.ts";
import { Semaphore } from "../../../kernel/semaphore.ts";
import type { OpenBundle, PrepareResult } from "../driver.ts";
import { readBootId } from "./process-table.ts";

export interface BundleCacheDeps {
  readonly openBundle: OpenBundle;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Unpacking {
  readonly result: Promise<PrepareResult>;
  readonly controller: AbortController;
  waiters: number;
}

const unpackingsMax = 2;
const archiveLimits = {
  entriesMax: limits.bundleEntriesMax,
  bytesMax: limits.bundleUnpackedBytesMax,
  pathBytesMax: limits.bundlePathBytesMax,
  ratioMax: limits.bundleRatioMax,
};

/**
 * The unpacked bundles, one read-only directory for each digest. absent → unpacking (shared by all who wait) → ready.
 * A directory appears by a rename, so a crash of the server leaves it whole or absent. After a crash of the machine
 * nothing here is believed, because the files were never synced: every boot has a home of its own.
 */
export class BundleCache implements AsyncDisposable {
  readonly #home: string;
  readonly #openBundle: OpenBundle;
  readonly #logger: Logger;
  readonly #threads: ArchiveThreads;
  readonly #unpackings = new Map<string, Unpacking>();
  readonly #uses = new Map<string, number>();
  readonly #forgotten = new Set<string>();
  readonly #slots = new Semaphore(unpackingsMax);
  /** What goes on though nobody waits for it. */
  readonly #background = new Set<Promise<void>>();

  private constructor(home: string, deps: BundleCacheDeps) {
    this.#home = home;
    this.#openBundle = deps.openBundle;
    this.#logger = deps.logger;
    this.#threads = new ArchiveThreads(deps.clock);
  }

  /** Opens the cache and begins to remove what earlier boots and crashes left. */
  static async open(directory: string, deps: BundleCacheDeps): Promise<BundleCache> {
    const bootId = readBootId();
    const home = join(directory, `boot-${bootId ?? "unknown"}`);
    if (bootId === undefined) await removeTree(home);
    await mkdir(home, { recursive: true, mode: 0o700 });
    // Node looks upwards for a package.json to learn whether a file is a module: what lies above is not the function's.
    await writeFile(join(home, "package.json"), "{}\n");
    const cache = new BundleCache(home, deps);
    for (const name of await readdir(directory))
      if (name.startsWith("boot-") && join(directory, name) !== home) cache.#remove(join(directory, name));
    for (const name of await readdir(home)) if (name.startsWith(unpackingPrefix)) cache.#remove(join(home, name));
    return cache;
  }

  directoryOf(digest: string): string {
    return join(this.#home, digest);
  }

  /** Makes the directory of a bundle ready. The last waiter's abort ends the unpacking; an abort rejects. */
  async prepare(digest: string, signal: AbortSignal): Promise<PrepareResult> {
    signal.throwIfAborted();
    this.#forgotten.delete(digest);
    if (isDirectory(this.directoryOf(digest))) return { kind: "ready" };
    const unpacking = this.#unpackings.get(digest) ?? this.#begin(digest);
    unpacking.waiters++;
    try {
      return await raceAbort(unpacking.result, signal);
    } finally {
      unpacking.waiters--;
      if (unpacking.waiters === 0) this.#abandon(digest, unpacking);
    }
  }

  /** Keeps the directory for as long as the use is not disposed. */
  use(digest: string): Disposable {
    this.#uses.set(digest, (this.#uses.get(digest) ?? 0) + 1);
    let isUsed = true;
    return {
      [Symbol.dispose]: () => {
        if (!isUsed) return;
        isUsed = false;
        const left = (this.#uses.get(digest) ?? 1) - 1;
        if (left > 0) this.#uses.set(digest, left);
        else this.#uses.delete(digest);
        if (left === 0 && this.#forgotten.has(digest)) this.forget(digest);
      },
    };
  }

  /** Removes the directory, now or after its last use. */
  forget(digest: string): void {
    if (this.#uses.has(digest) || this.#unpackings.has(digest)) {
      this.#forgotten.add(digest);
      return;
    }
    this.#forgotten.delete(digest);
    try {
      // Out of the way at once, so that whoever wants it from now on finds it absent, never half removed. Beside it,
      // because a read-only directory cannot move to another parent.
      const aside = mkdtempSync(join(this.#home, unpackingPrefix));
      if (existsSync(this.directoryOf(digest))) renameSync(this.directoryOf(digest), aside);
      this.#remove(aside);
    } catch (error) {
      this.#warn(this.directoryOf(digest), error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [digest, unpacking] of this.#unpackings) this.#abandon(digest, unpacking);
    await Promise.all(this.#background);
    await this.#threads[Symbol.asyncDispose]();
  }

  #begin(digest: string): Unpacking {
    const controller = new AbortController();
    const result = this.#slots
      .run(() => this.#unpack(digest, controller.signal), controller.signal)
      .finally(() => {
        if (this.#unpackings.get(digest) === unpacking) this.#unpackings.delete(digest);
        // What was forgotten meanwhile may have been prepared for nobody.
        if (this.#forgotten.has(digest)) this.forget(digest);
      });
    const unpacking: Unpacking = { result, controller, waiters: 0 };
    this.#unpackings.set(digest, unpacking);
    return unpacking;
  }

  /** Whoever wants the bundle from now on begins anew. */
  #abandon(digest: string, unpacking: Unpacking): void {
    if (this.#unpackings.get(digest) !== unpacking) return;
    this.#unpackings.delete(digest);
    unpacking.controller.abort(new Error("nobody waits for the bundle any more"));
    // Its failure is the abort itself, and everyone who waited has had it.
    this.#own(unpacking.result.then(nothing, nothing));
  }

  async #unpack(digest: string, signal: AbortSignal): Promise<PrepareResult> {
    const directory = this.directoryOf(digest);
    if (isDirectory(directory)) return { kind: "ready" };
    try {
      const source = await this.#openBundle(digest);
      if (source === undefined)
        return { kind: "image-unavailable", reason: `no code bundle with the digest ${digest} is stored here` };
      const threads = this.#threads;
      await unpackArchive({ source, directory, threads, limits: archiveLimits, sha256: digest }, signal);
      return { kind: "ready" };
    } catch (error) {
      if (error instanceof ArchiveRefused) return { kind: "image-damaged", reason: error.message };
      if (isProblem(error, "payload-damaged") || isProblem(error, "payload-not-found"))
        return { kind: "image-damaged", reason: error.message };
      // An unpacking that was abandoned in its last moment was faster.
      if (!signal.aborted && isDirectory(directory)) return { kind: "ready" };
      throw error;
    }
  }

  /** Removal goes on beside everything else; closing waits for it. */
  #remove(directory: string): void {
    this.#own(removeTree(directory).catch((error: unknown) => this.#warn(directory, error)));
  }

  /** It costs space and nothing else. */
  #warn(directory: string, error: unknown): void {
    this.#logger.warn("unpacked code could not be removed", { directory, error: String(error) });
  }

  #own(task: Promise<void>): void {
    const owned = task.finally(() => this.#background.delete(owned));
    this.#background.add(owned);
  }
}

function nothing(): void {}

/** Synchronously: every start asks. */
function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // Attached in any case: whoever shares a promise has seen its failure.
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
