import { limits, Problem } from "@chaya/contract";
import type { Clock } from "../../kernel/clock.ts";

const windowMs = 60_000;

/** How many login tokens were wrong lately. Right ones are never held up: nobody keeps others from logging in. */
export class FailedLogins {
  readonly #clock: Clock;
  #windowFromMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The problem of one more that was wrong. */
  refuse(): Problem {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowFromMs >= windowMs) {
      this.#windowFromMs = nowMs;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count <= limits.failedLoginsPerMinuteMax) return new Problem("login-token-invalid");
    return new Problem("logins-exhausted", {}, { retryAfterMs: this.#windowFromMs + windowMs - nowMs });
  }
}
