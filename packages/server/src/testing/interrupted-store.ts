import { Problem } from "@chaya/contract";
import type { Store } from "../drivers/store/driver.ts";

/** A node's view of a store that a test can cut off, as a crash or a broken network would. */
export interface InterruptedStore<Tables> {
  readonly store: Store<Tables>;
  /** From now on nothing of this node reaches the store, and it hears nothing. */
  cut(): void;
  mend(): void;
}

export function interruptible<Tables>(store: Store<Tables>): InterruptedStore<Tables> {
  let isCut = false;
  const unlessCut = async <T>(task: () => Promise<T>): Promise<T> => {
    if (isCut) throw new Problem("store-unavailable", { reason: "it was cut off by a test" });
    return task();
  };
  return {
    store: {
      kind: store.kind,
      claimsSkipLocked: store.claimsSkipLocked,
      db: store.db,
      apply: (statements) => unlessCut(() => store.apply(statements)),
      transaction: (work) => unlessCut(() => store.transaction(work)),
      rowsOf: (columns) => store.rowsOf(columns),
      now: () => store.now(),
      nowMs: () => unlessCut(() => store.nowMs()),
      hint: (channel) => {
        if (!isCut) store.hint(channel);
      },
      onHint: (channel, listener) =>
        store.onHint(channel, () => {
          if (!isCut) listener();
        }),
      trim: (table, beforeMs) => unlessCut(() => store.trim(table, beforeMs)),
      health: () => unlessCut(() => store.health()),
      [Symbol.asyncDispose]: async () => {},
    },
    cut: () => {
      isCut = true;
    },
    mend: () => {
      isCut = false;
    },
  };
}
