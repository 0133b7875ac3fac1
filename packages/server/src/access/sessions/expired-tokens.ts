import type { Timer } from "../../kernel/clock.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { AccessRecordDeps } from "../records/commit.ts";
import { deleteExpiredToken, readExpiredTokens } from "../records/session-tokens.ts";

export interface ExpiredTokensDeps extends Pick<AccessRecordDeps, "store" | "changes" | "clock"> {
  readonly logger: Logger;
}

const sweepMs = 3_600_000;
const batchMax = 100;

/**
 * Removes tokens that have expired, hourly. Whether one is good is judged by the clock at each use, so this makes room
 * and nothing else; what a crash leaves is removed an hour later.
 */
export class ExpiredTokens implements AsyncDisposable {
  readonly #deps: ExpiredTokensDeps;
  readonly #timer: Timer;
  #sweeping: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(deps: ExpiredTokensDeps) {
    this.#deps = deps;
    this.#timer = deps.clock.every(sweepMs, () => {
      this.#sweeping = this.#sweeping.then(() => this.#sweep());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer.cancel();
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { clock, logger } = this.#deps;
    const nowMs = clock.nowMs();
    try {
      for (;;) {
        const ids = await readExpiredTokens(this.#deps, nowMs, batchMax);
        for (const id of ids) {
          if (this.#isClosed) return;
          await deleteExpiredToken(this.#deps, id, nowMs);
        }
        if (ids.length < batchMax) return;
      }
    } catch (error) {
      logger.warn("expired tokens were not removed; the next sweep tries again", { error });
    }
  }
}
