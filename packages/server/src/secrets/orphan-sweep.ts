import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Logger } from "../kernel/logger.ts";
import { removeOrphans } from "./records/secrets.ts";

export interface OrphanSweepDeps {
  readonly store: Store<MainTables>;
  readonly logger: Logger;
}

/** Removes the secrets of what was deleted, one pass at a time. Nobody can reach them meanwhile; a pass may fail. */
export class OrphanSweep implements AsyncDisposable {
  readonly #deps: OrphanSweepDeps;
  #pass: Promise<void> | undefined;
  /** Something was deleted after the pass under way began. */
  #isAsked = false;

  constructor(deps: OrphanSweepDeps) {
    this.#deps = deps;
  }

  ask(): void {
    this.#isAsked = true;
    this.#pass ??= this.#sweepWhileAsked();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isAsked = false;
    await this.#pass;
  }

  async #sweepWhileAsked(): Promise<void> {
    try {
      while (this.#isAsked) {
        this.#isAsked = false;
        await removeOrphans(this.#deps.store);
      }
    } catch (error) {
      this.#deps.logger.warn("secrets of deleted functions could not be removed; the next round tries again", {
        error,
      });
    } finally {
      this.#pass = undefined;
    }
  }
}
