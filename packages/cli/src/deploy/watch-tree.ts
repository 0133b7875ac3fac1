import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { dirname, join, sep } from "node:path";
import { CliError } from "../cli-error.ts";

/** A save is over when nothing more has come for so long; one that goes on is taken as it is after `saveMsMax`. */
const quietMs = 10;
const saveMsMax = 200;

export interface TreeChanges {
  /** Absolute; of files and folders that were made, written, renamed or removed. */
  readonly paths: ReadonlySet<string>;
  /** `performance.now()` of the first; undefined when there is none. */
  readonly sinceMs: number | undefined;
}

/**
 * Tells what changes in a folder and the folders below it, also in those that come later, by watching every folder
 * rather than files: editors replace files by others of the same name.
 */
export class TreeWatch implements Disposable {
  readonly #isWatched: (folder: string) => boolean;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed = new Set<string>();
  #sinceMs: number | undefined;
  #lastMs = 0;
  #wake: () => void = () => {};

  /** `isWatched` says of a folder below the root whether it is looked into. */
  constructor(root: string, isWatched: (folder: string) => boolean) {
    this.#isWatched = isWatched;
    this.#add(root);
  }

  /** Watches a folder outside of the tree, but not those below it. */
  watchAlso(folder: string): void {
    if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  /** Waits for a save to be over. After `timeoutMs`, or when aborted, what there is: most likely nothing. */
  async next(timeoutMs: number | undefined, signal: AbortSignal): Promise<TreeChanges> {
    const onAbort = () => this.#wake();
    signal.addEventListener("abort", onAbort);
    if (this.#changed.size === 0) await this.#sleep(timeoutMs, signal);
    while (!this.#isOver() && !signal.aborted) await this.#sleep(quietMs, signal);
    signal.removeEventListener("abort", onAbort);
    const changes = { paths: new Set(this.#changed), sinceMs: this.#sinceMs };
    this.#changed.clear();
    this.#sinceMs = undefined;
    return changes;
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #isOver(): boolean {
    if (this.#sinceMs === undefined) return true;
    const nowMs = performance.now();
    return nowMs - this.#lastMs >= quietMs || nowMs - this.#sinceMs >= saveMsMax;
  }

  /** Until something changes, or the time is over. */
  #sleep(ms: number | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.#wake(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (signal.aborted) this.#wake();
    });
  }

  #add(folder: string): void {
    this.#watch(folder);
    // Asked after the watch began: what is made in between is seen by one of the two.
    for (const entry of ifThere(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
      const below = join(folder, entry.name);
      if (entry.isDirectory() && this.#isWatched(below)) this.#add(below);
    }
  }

  #watch(folder: string): void {
    const watcher = ifThere(() => watchFolder(folder, (name, isRename) => this.#notice(folder, name, isRename)));
    // The folder was removed: that is seen in the one above.
    watcher?.on("error", () => this.#remove(folder));
    if (watcher !== undefined) this.#watchers.set(folder, watcher);
  }

  #notice(folder: string, name: string | null, isRename: boolean): void {
    const path = name === null ? folder : join(folder, name);
    if (isRename && name !== null) this.#follow(path);
    const nowMs = performance.now();
    this.#changed.add(path);
    this.#sinceMs ??= nowMs;
    this.#lastMs = nowMs;
    this.#wake();
  }

  /** A name appeared, went or stands for something else: folders below it are others than before. */
  #follow(path: string): void {
    this.#remove(path);
    // Those below a folder that is not watched do not come here, but that folder itself does.
    const isFolder = ifThere(() => statSync(path))?.isDirectory() === true;
    if (isFolder && this.#watchers.has(dirname(path)) && this.#isWatched(path)) this.#add(path);
  }

  #remove(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && !path.startsWith(folder + sep)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }
}

function watchFolder(folder: string, notice: (name: string | null, isRename: boolean) => void): FSWatcher {
  try {
    return watch(folder, (event, name) => notice(name, event === "rename"));
  } catch (cause) {
    if (!isCode(cause, "ENOSPC") && !isCode(cause, "EMFILE")) throw cause;
    throw new CliError(
      {
        what: "This system lets nobody watch more folders than are watched already.",
        hint: "On Linux: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512",
      },
      { cause },
    );
  }
}

/** undefined: it is gone, or is no folder any more. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return undefined;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
