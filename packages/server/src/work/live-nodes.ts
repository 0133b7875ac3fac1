import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import { countNodes, removeNodes, renewNode, seenAmong } from "./records/node-rows.ts";

export interface LiveNodesDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeId: string;
}

/** How many nodes share this store: what is limited over all of them is divided by that. */
export interface LiveNodes extends AsyncDisposable {
  /** As of the last beat, this node included: never below 1. */
  count(): number;
  /** Which of these have ended. A node that was killed is among them 15 s later; where one process has the store, at once. */
  gone(nodeIds: readonly string[]): Promise<ReadonlySet<string>>;
}

const beatMs = 5_000;
/** Three beats: a node that missed so many is gone. */
const silenceMsMax = 15_000;

/**
 * Says every 5 s that this node is alive and counts those that are. A node that is killed counts for 15 s more. While the
 * store does not answer, the last count stands.
 */
export async function watchLiveNodes(deps: LiveNodesDeps): Promise<LiveNodes> {
  const { store, clock, logger, nodeId } = deps;
  let live = 1;
  let beating: Promise<void> | undefined;
  const beat = async () => {
    await renewNode(store, nodeId);
    live = Math.max(1, await countNodes(store, silenceMsMax));
  };
  await beat();
  const timer = clock.every(beatMs, () => {
    beating ??= beat()
      .catch((error: unknown) => logger.warn("node not renewed", { error }))
      .finally(() => {
        beating = undefined;
      });
  });
  return {
    count: () => live,
    gone: async (nodeIds) => {
      const others = nodeIds.filter((id) => id !== nodeId);
      const isShared = store.kind === "postgres" && others.length > 0;
      const seen = isShared ? await seenAmong(store, others, silenceMsMax) : new Set();
      return new Set(others.filter((id) => !seen.has(id)));
    },
    [Symbol.asyncDispose]: async () => {
      timer.cancel();
      await beating;
      try {
        await removeNodes(store, nodeId, silenceMsMax);
      } catch (error) {
        // As after a crash; a store that takes no writes must not make the end of a server a failure.
        logger.warn("node not signed off; it counts for 15 s more", { error });
      }
    },
  };
}
