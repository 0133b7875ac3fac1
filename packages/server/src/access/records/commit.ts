import { type Kysely, sql } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { ChangesFeed } from "../../work/changes.ts";

export interface AccessRecordDeps {
  readonly store: Store<MainTables>;
  readonly changes: ChangesFeed;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Of the root compartment. */
  readonly rootId: string;
}

export type ReadDeps = Pick<AccessRecordDeps, "store">;

/** The kinds under which changes of identity stand in the feed. `user-keys` names the user whose API keys changed. */
export type AccessChangeKind =
  | "compartment"
  | "user"
  | "group"
  | "dynamic-group"
  | "membership"
  | "user-keys"
  | "token"
  | "policy";

/** What a change led to; `seq` is its place in the feed, absent when there was nothing to change. */
export interface Committed<T> {
  readonly record: T;
  readonly seq: number | undefined;
}

/** What is changed or deleted, with a check of its etag when nobody else can change it any more. */
export interface Held {
  readonly id: string;
  readonly checkEtag: (etag: string) => void;
}

export interface Changed<T> {
  readonly record: T;
  /** What the feed says changed; absent when nothing did. */
  readonly changed?: { readonly kind: AccessChangeKind; readonly id: string };
}

/**
 * Runs one change in a transaction together with its row of the feed; resolves when this node shows it. Changes of
 * identity are made one at a time, over all nodes: what a change reads stays true until it has ended. They are rare, and
 * names, limits and the tree of compartments concern more than one row.
 */
export async function commit<T>(
  deps: Pick<AccessRecordDeps, "store" | "changes">,
  work: (tx: Kysely<MainTables>) => Promise<Changed<T>>,
): Promise<Committed<T>> {
  const committed = await deps.store.transaction(async (tx) => {
    await holdTenancy(tx);
    const { record, changed } = await work(tx);
    const seq = changed && (await deps.changes.append(tx, changed.kind, changed.id));
    return { record, seq };
  });
  if (committed.seq !== undefined) await deps.changes.published(committed.seq);
  return committed;
}

/** The row stays locked until `tx` has ended: a write locks in both stores. */
async function holdTenancy(tx: Kysely<MainTables>): Promise<void> {
  await tx
    .insertInto("facts")
    .values({ key: "identity", value: "held" })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value: sql.ref("facts.value") }))
    .execute();
}
