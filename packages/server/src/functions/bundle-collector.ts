import { bundleImage, limits } from "@chaya/contract";
import type { Timer } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Change } from "../work/changes.ts";
import type { BundleDeps } from "./bundles.ts";
import { deleteOldBundle, readOldBundles } from "./records/bundles.ts";
import { readNamedDigests } from "./records/images.ts";

export interface CollectorDeps extends BundleDeps {
  readonly logger: Logger;
  /** Owner: the runtime of this node, which may have unpacked them. */
  readonly forgetImages?: (images: readonly string[]) => Promise<void>;
}

const intervalMs = 3_600_000;

/**
 * Removes code bundles that none of the last images names. A bundle that is uploaded (again) or put on a function gets a
 * new age, and only old ones are deleted, so a deploy in progress keeps its bundle for a day before a function names it.
 * The row goes before the payload: a crash between them leaves a payload that nothing names, never a row without one.
 */
export class BundleCollector implements AsyncDisposable {
  readonly #deps: CollectorDeps;
  readonly #timer: Timer;
  readonly #following: Disposable;
  #running: Promise<void> = Promise.resolve();

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
    this.#following = deps.changes.onChange((change) => this.#follow(change));
    this.#timer = deps.clock.every(intervalMs, () => {
      this.#running = this.#running.then(() => this.#tick());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    this.#following[Symbol.dispose]();
    await this.#running;
  }

  /** Whichever node collected it: the copies of this one go too. The names in the image are nobody's. */
  async #follow({ kind, id: digest }: Change): Promise<void> {
    if (kind !== "bundle") return;
    await this.#deps.forgetImages?.([bundleImage({ application: "-", function: "-", digest })]);
  }

  async #tick(): Promise<void> {
    try {
      const bundles = await this.#collect();
      if (bundles > 0) this.#deps.logger.info("bundles collected", { bundles });
    } catch (error) {
      // The next tick finds the same bundles.
      this.#deps.logger.warn("bundles not collected", { err: error });
    }
  }

  /** Returns how many bundles went. */
  async #collect(): Promise<number> {
    const { clock, payloads } = this.#deps;
    const beforeMs = clock.nowMs() - limits.payloadOrphanAgeMsMin;
    const old = await readOldBundles(this.#deps, beforeMs);
    if (old.length === 0) return 0;
    // After the bundles: one that is named meanwhile is not old any more, and its deletion is refused.
    const named = await readNamedDigests(this.#deps);
    let collected = 0;
    for (const bundle of old) {
      if (named.has(bundle.digest) || !(await deleteOldBundle(this.#deps, bundle, beforeMs))) continue;
      await payloads.remove(bundle.payloadId);
      collected++;
    }
    return collected;
  }
}
