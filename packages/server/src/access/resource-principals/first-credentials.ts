import { limits } from "@chaya/contract";
import type { Logger } from "../../kernel/logger.ts";
import type { SpareKeys } from "./spare-keys.ts";

export interface FirstCredentialsDeps {
  readonly logger: Logger;
  readonly spares: Pick<SpareKeys, "full">;
  /** Issues what the function's first start will ask for; nothing for one that is gone. */
  readonly issue: (functionId: string) => Promise<unknown>;
}

/**
 * Functions that were deployed lately get their credentials before they start first, one after the other, and none as
 * long as a start may want a spare. Of very many at once, the last get theirs with their first start.
 */
export class FirstCredentials implements AsyncDisposable {
  readonly #deps: FirstCredentialsDeps;
  readonly #awaited = new Set<string>();
  #issuing: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: FirstCredentialsDeps) {
    this.#deps = deps;
  }

  /** A first start is likely to come. */
  expect(functionId: string): void {
    if (this.#isClosed || this.#awaited.size >= limits.functionKeysAwaitedMax) return;
    this.#awaited.add(functionId);
    this.#issuing ??= this.#issueAwaited();
  }

  forget(functionId: string): void {
    this.#awaited.delete(functionId);
  }

  /** Close the spares too: they may be waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#awaited.clear();
    await this.#issuing;
  }

  async #issueAwaited(): Promise<void> {
    const { logger, spares, issue } = this.#deps;
    try {
      for (const functionId of this.#awaited) {
        await spares.full();
        if (this.#awaited.delete(functionId)) await issue(functionId);
      }
    } catch (error) {
      this.#awaited.clear();
      // A start that needs them tries again, and tells its caller what is wrong.
      if (!this.#isClosed) logger.warn("credentials of new functions could not be issued", { error });
    } finally {
      this.#issuing = undefined;
    }
  }
}
