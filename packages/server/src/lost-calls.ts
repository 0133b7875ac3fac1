import { Problem } from "@chaya/contract";
import type { Store } from "./drivers/store/driver.ts";
import type { Clock } from "./kernel/clock.ts";
import type { Logger } from "./kernel/logger.ts";
import type { ForgottenEnd, Telemetry } from "./telemetry/index.ts";
import type { LiveNodes } from "./work/live-nodes.ts";

export interface LostCallsDeps {
  /** On the embedded store there is no other node, so none ends later than this one starts. */
  readonly store: Pick<Store<unknown>, "kind">;
  readonly telemetry: Pick<Telemetry, "callsOfOtherNodes" | "recordEnds">;
  readonly liveNodes: Pick<LiveNodes, "gone">;
  readonly clock: Pick<Clock, "nowMs" | "every">;
  readonly logger: Logger;
}

const roundEveryMs = 20_000;
const pageCallsMax = 200;

/**
 * Calls whose caller waits end with the server that runs them, and when that is killed their records go on saying that
 * they run. Every server looks for them when it starts, and on a shared store every 20 s: those of nodes that have ended
 * have failed. Should such a node be alive after all, cut off from the store, what it records later stands.
 */
export function endLostCalls(deps: LostCallsDeps): AsyncDisposable {
  let isClosed = false;
  let round: Promise<void> | undefined;
  const look = () => {
    round ??= endAll(deps, () => isClosed)
      .then(() => {
        if (deps.store.kind === "embedded") timer.cancel();
      })
      .catch((error: unknown) => deps.logger.warn("calls of servers that ended are not looked for now", { error }))
      .finally(() => {
        round = undefined;
      });
  };
  const timer = deps.clock.every(roundEveryMs, look);
  look();
  return {
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      timer.cancel();
      await round;
    },
  };
}

async function endAll({ telemetry, liveNodes, clock }: LostCallsDeps, isClosed: () => boolean): Promise<void> {
  for (let afterId = ""; !isClosed(); ) {
    // In this order: a node is there before the records of its calls are.
    const calls = await telemetry.callsOfOtherNodes({ afterId, countMax: pageCallsMax });
    if (calls.length === 0) return;
    const gone = await liveNodes.gone([...new Set(calls.map(({ nodeId }) => nodeId))]);
    const lost = calls.filter(({ nodeId }) => gone.has(nodeId));
    await telemetry.recordEnds(lost.map(({ id }) => endOf(id, clock.nowMs())));
    afterId = calls.at(-1)?.id ?? "";
  }
}

/** When it ended nobody knows: by now it has. */
function endOf(id: string, finishedAtMs: number): ForgottenEnd {
  const { code, message: sentence, hint } = new Problem("server-ended");
  return { id, status: "failed", finishedAtMs, problem: { code, sentence, hint } };
}
