import type { Clock, Timer } from "./clock.ts";

/**
 * Tells when something was not used for a while. States: quiet → (a use) → waiting → told, which is quiet again. A use
 * while it waits costs a look at the clock and no timer.
 */
export class IdleTimer implements Disposable {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  #lastUseMs = 0;
  #timer: Timer | undefined;

  /** `onIdle` is called once, `idleMs` after the last use. */
  constructor(clock: Clock, idleMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
  }

  used(): void {
    this.#lastUseMs = this.#clock.monotonicMs();
    this.#timer ??= this.#wait(this.#idleMs);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(delayMs: number): Timer {
    return this.#clock.schedule(delayMs, () => {
      const leftMs = this.#lastUseMs + this.#idleMs - this.#clock.monotonicMs();
      this.#timer = leftMs > 0 ? this.#wait(leftMs) : undefined;
      if (this.#timer === undefined) this.#onIdle();
    });
  }
}
