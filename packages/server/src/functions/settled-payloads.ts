import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import { readUnsettled } from "./records/settled-work.ts";

const lookMs = 5_000;
const bodiesPerLookMax = 500;
const looksMax = 12;

/**
 * Removes bodies of calls that are done, once the store has forgotten the call: before that a crash would run it again
 * without its body. What a crash leaves is the payload collector's.
 */
export class SettledPayloads implements AsyncDisposable {
  readonly #deps: {
    readonly store: Store<MainTables>;
    readonly payloads: PayloadDriver;
    readonly logger: Logger;
  };
  /** By the id of their call. */
  readonly #done = new Map<string, { readonly payloadId: string; looks: number }>();
  readonly #timer: Timer;
  #looking: Promise<void> = Promise.resolve();
  #isLooking = false;

  constructor(deps: {
    readonly store: Store<MainTables>;
    readonly payloads: PayloadDriver;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#deps = deps;
    this.#timer = deps.clock.every(lookMs, () => {
      if (!this.#isLooking && this.#done.size > 0) this.#looking = this.#look();
    });
  }

  /** The call has run to its end and is about to be settled. */
  add(callId: string, payloadId: string): void {
    this.#done.set(callId, { payloadId, looks: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { store, payloads, logger } = this.#deps;
    this.#isLooking = true;
    try {
      const looked = [...this.#done].slice(0, bodiesPerLookMax);
      const unsettled = await readUnsettled(
        store,
        looked.map(([callId]) => callId),
      );
      for (const [callId, body] of looked) {
        // A call that could not be settled runs again, here or elsewhere, and is added again then.
        if (unsettled.has(callId) && ++body.looks < looksMax) continue;
        this.#done.delete(callId);
        if (!unsettled.has(callId)) await payloads.remove(body.payloadId);
      }
    } catch (error) {
      logger.warn("bodies of settled calls could not be removed now", { error });
    } finally {
      this.#isLooking = false;
    }
  }
}
