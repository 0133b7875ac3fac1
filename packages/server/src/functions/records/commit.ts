import type { Kysely } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { ChangesFeed } from "../../work/changes.ts";

export interface RecordDeps {
  readonly store: Store<MainTables>;
  readonly changes: ChangesFeed;
  readonly clock: Clock;
  readonly newId: NewId;
  /** The root compartment: what the Fn API makes lies there. */
  readonly compartmentId: string;
}

export type ReadDeps = Pick<RecordDeps, "store">;

/** What a change led to; `seq` is its place in the feed, absent when there was nothing to change. */
export interface Committed<T> {
  readonly record: T;
  readonly seq: number | undefined;
}

interface Changed<T> {
  readonly record: T;
  /** What the feed says changed; absent when nothing did. */
  readonly changed?: { readonly kind: "application" | "function" | "trigger" | "bundle"; readonly id: string };
}

/** Runs one change in a transaction together with its row of the feed; resolves when this node shows it. */
export async function commit<T>(
  deps: RecordDeps,
  work: (tx: Kysely<MainTables>) => Promise<Changed<T>>,
): Promise<Committed<T>> {
  const committed = await deps.store.transaction(async (tx) => {
    const { record, changed } = await work(tx);
    const seq = changed && (await deps.changes.append(tx, changed.kind, changed.id));
    return { record, seq };
  });
  if (committed.seq !== undefined) await deps.changes.published(committed.seq);
  return committed;
}
