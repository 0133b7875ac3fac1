// Hot path: ARCHITECTURE, hot-path rules
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Pools } from "./pool/pools.ts";

/** Deadlines are met this late at most; a timer per call would cost more than the rest of the call's bookkeeping. */
const sweepMs = 50;
/** Calls that run longer are recorded as running, so that they can be seen before they end. */
const shownRunningMs = 1_000;

/**
 * The one sweep over all busy instances: ends calls whose deadline has passed, shows those that run long, and lets the
 * pools do what is due. The returned timer stops it.
 */
export function startDeadlineSweep(clock: Clock, pools: Pools): Timer {
  return clock.every(sweepMs, () => {
    const nowMs = clock.monotonicMs();
    for (const pool of pools.all()) {
      for (const instance of pool.instances) {
        for (const call of [...instance.calls]) {
          const { runMs } = call;
          if (call.deadlineMs <= nowMs) call.expire();
          else if (runMs >= shownRunningMs && runMs < shownRunningMs + sweepMs) call.reportRunning();
        }
      }
    }
    pools.sweep(nowMs);
  });
}
