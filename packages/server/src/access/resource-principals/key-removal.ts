import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { Logger } from "../../kernel/logger.ts";
import { removeFunctionKeys, removeOrphanKeys } from "./records/platform-keys.ts";

export interface KeyRemovalDeps {
  readonly store: Store<MainTables>;
  readonly logger: Logger;
}

const removedAtOnceMax = 100;

/** Removes the keys of deleted functions, which nobody can use meanwhile. A crash leaves them to the next start. */
export class KeyRemoval implements AsyncDisposable {
  readonly #deps: KeyRemovalDeps;
  readonly #gone = new Set<string>();
  /** Functions may have gone that nobody named. */
  #isAllAsked = false;
  #pass: Promise<void> | undefined;

  constructor(deps: KeyRemovalDeps) {
    this.#deps = deps;
  }

  remove(functionId: string): void {
    this.#gone.add(functionId);
    this.#pass ??= this.#removeWhileAsked();
  }

  removeOrphans(): void {
    this.#isAllAsked = true;
    this.#pass ??= this.#removeWhileAsked();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pass;
  }

  async #removeWhileAsked(): Promise<void> {
    const { store, logger } = this.#deps;
    try {
      while (this.#isAllAsked || this.#gone.size > 0) {
        if (this.#isAllAsked) {
          this.#isAllAsked = false;
          await removeOrphanKeys(store);
        } else {
          const ids = [...this.#gone].slice(0, removedAtOnceMax);
          for (const id of ids) this.#gone.delete(id);
          await removeFunctionKeys(store, ids);
        }
      }
    } catch (error) {
      this.#gone.clear();
      logger.warn("keys of deleted functions could not be removed; the next start tries again", { error });
    } finally {
      this.#pass = undefined;
    }
  }
}
