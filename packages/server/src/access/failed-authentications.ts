import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";

const windowMs = 60_000;
const linesPerWindowMax = 20;

/** Logs credentials that were refused, at most so many a minute: whoever tries many must not fill the log. */
export class FailedAuthentications {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #windowFromMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #unlogged = 0;

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  report(failed: { readonly peer: string; readonly kind: string; readonly problem: string }): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowFromMs >= windowMs) {
      if (this.#unlogged > 0) this.#logger.info("further authentications failed", { count: this.#unlogged });
      this.#windowFromMs = nowMs;
      this.#lines = 0;
      this.#unlogged = 0;
    }
    if (this.#lines < linesPerWindowMax) this.#logger.info("authentication failed", failed);
    else this.#unlogged++;
    this.#lines++;
  }
}
