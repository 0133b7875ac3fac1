import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { TelemetryTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import { idTimeMs } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import { calledFunctionMsMax } from "./called-functions.ts";
import { firstCallBeyond } from "./records/calls.ts";
import { inputsToRemove, removeInputs } from "./records/captured-inputs.ts";
import { firstLineBeyond } from "./records/log-lines.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";

export interface RetentionDeps {
  readonly store: Store<TelemetryTables>;
  readonly payloads: Pick<PayloadDriver, "remove">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: TelemetryLimits;
}

const roundEveryMs = 600_000;
/** Soon after the start, but not in its way. */
const firstRoundAfterMs = 15_000;
const inputsPerStep = 100;

/** Keeps call records, log lines and captured inputs within their limits of age and size. */
export interface Retention {
  /** Goes over everything once. Calls made meanwhile share that round. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

/** Sweeps every ten minutes. Several nodes may sweep at once; what one removed the other does not find. */
export function createRetention(deps: RetentionDeps): Retention {
  let round: Promise<void> | undefined;
  const closing = new AbortController();
  const sweep = () => {
    round ??= sweepOnce(deps, closing.signal).finally(() => {
      round = undefined;
    });
    return round;
  };
  const sweepUnasked = () => {
    sweep().catch((error: unknown) => deps.logger.warn("telemetry not swept", { error }));
  };
  const timers = [deps.clock.schedule(firstRoundAfterMs, sweepUnasked), deps.clock.every(roundEveryMs, sweepUnasked)];
  return {
    sweep,
    close: async () => {
      for (const timer of timers) timer.cancel();
      closing.abort();
      await Promise.allSettled(round === undefined ? [] : [round]);
    },
  };
}

async function sweepOnce(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  const { store, limits } = deps;
  const nowMs = deps.clock.nowMs();
  await trimCalls(store, nowMs - limits.callRecordsAgeMsMax);
  await store.trim("log_lines", nowMs - limits.logLinesAgeMsMax);
  if (signal.aborted) return;
  const call = await firstCallBeyond(store.db, limits.callRecordsMax);
  if (call !== undefined) await trimCalls(store, idTimeMs(call) + 1);
  if (signal.aborted) return;
  const line = await firstLineBeyond(store.db, limits.logBytesMax);
  if (line !== undefined) await store.trim("log_lines", idTimeMs(line) + 1);
  await sweepInputs(deps, signal);
}

/** Calls, and then what only they named. */
async function trimCalls(store: RetentionDeps["store"], beforeMs: number): Promise<void> {
  await store.trim("calls", beforeMs);
  await store.trim("call_seconds", beforeMs);
  await store.trim("called_functions", beforeMs - 2 * calledFunctionMsMax);
}

async function sweepInputs(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  const { store, limits } = deps;
  const beforeMs = deps.clock.nowMs() - limits.capturedInputsAgeMsMax;
  while (!signal.aborted) {
    const keep = { beforeMs, keptMax: limits.capturedInputsMax, countMax: inputsPerStep };
    const inputs = await inputsToRemove(store.db, keep);
    if (inputs.length === 0) return;
    await store.apply([
      removeInputs(
        store,
        inputs.map((input) => input.call_id),
      ),
    ]);
    // The row goes first: a payload that nothing names is collected, a row that names nothing would be damage.
    for (const { payload_id: id } of inputs) if (id !== null) await deps.payloads.remove(id);
  }
}
