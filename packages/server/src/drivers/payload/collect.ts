import { limits } from "@chaya/contract";
import type { Clock } from "../../kernel/clock.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { PayloadDriver } from "./driver.ts";

export interface PayloadCollectorDeps {
  readonly payloads: Pick<PayloadDriver, "list" | "remove">;
  readonly clock: Pick<Clock, "nowMs" | "every">;
  readonly logger: Logger;
  /**
   * Which of these ids a row names. Must look at every table that names payloads, in one statement or snapshot: an id
   * that moves from one table to another between two looks would be missed.
   */
  readonly isNamed: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
}

export interface PayloadCollector extends AsyncDisposable {
  /** Goes over all payloads once. Calls made meanwhile share that round. */
  collect(): Promise<Collected>;
}

interface Collected {
  readonly lookedAt: number;
  readonly removed: number;
  readonly removedBytes: number;
}

const roundEveryMs = 3_600_000;
const pagePayloadsMax = 500;

/**
 * Removes payloads that nothing names, every hour. Only those older than 24 h: a fresh payload is written before the
 * row that names it. A crash in the middle costs nothing; the next round goes on.
 */
export function createPayloadCollector(deps: PayloadCollectorDeps): PayloadCollector {
  let round: Promise<Collected> | undefined;
  let isClosed = false;
  const collect = () => {
    round ??= collectOnce(deps, () => isClosed).finally(() => {
      round = undefined;
    });
    return round;
  };
  const timer = deps.clock.every(roundEveryMs, () => {
    collect().then(
      (collected) => deps.logger.info("payloads collected", { ...collected }),
      (error: unknown) => deps.logger.warn("payloads not collected", { error }),
    );
  });
  return {
    collect,
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      timer.cancel();
      await Promise.allSettled(round === undefined ? [] : [round]);
    },
  };
}

async function collectOnce(deps: PayloadCollectorDeps, isClosed: () => boolean): Promise<Collected> {
  const writtenBeforeMs = deps.clock.nowMs() - limits.payloadOrphanAgeMsMin;
  let lookedAt = 0;
  let removed = 0;
  let removedBytes = 0;
  let afterId = "";
  while (!isClosed()) {
    const page = await deps.payloads.list({ writtenBeforeMs, afterId, countMax: pagePayloadsMax });
    const named = await deps.isNamed(page.map((payload) => payload.id));
    for (const payload of page) {
      lookedAt++;
      afterId = payload.id;
      if (named.has(payload.id)) continue;
      await deps.payloads.remove(payload.id);
      removed++;
      removedBytes += payload.bytes;
    }
    if (page.length < pagePayloadsMax) break;
  }
  return { lookedAt, removed, removedBytes };
}
