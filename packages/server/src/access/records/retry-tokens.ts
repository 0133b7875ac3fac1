import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";
import { type AccessRecordDeps, type Changed, type Committed, commit } from "./commit.ts";

/** Who asks for something to be made, and how the request may be repeated. */
export interface Creation {
  readonly createdBy: string;
  /** OCI's name of what is done: a retry token counts for it alone. */
  readonly operation: string;
  readonly retryToken: string | undefined;
}

export interface CreationSteps<T> {
  readonly creation: Creation;
  /** Reads what an earlier request made; undefined when it is gone. */
  readonly find: (tx: Kysely<MainTables>, id: string) => Promise<Changed<T> | undefined>;
  readonly make: (tx: Kysely<MainTables>) => Promise<Changed<T> & { readonly id: string }>;
}

/**
 * Makes something, or gives what the first request under the same retry token made within 24 h. Throws
 * `retry-token-invalidated` when that is gone, and what the steps throw.
 */
export function create<T>(deps: AccessRecordDeps, { creation, find, make }: CreationSteps<T>): Promise<Committed<T>> {
  const { createdBy, operation, retryToken } = creation;
  if (retryToken === undefined) return commit(deps, make);
  const key = { principal_id: createdBy, operation, token: retryToken };
  return commit(deps, async (tx) => {
    const nowMs = deps.clock.nowMs();
    await tx.deleteFrom("retry_tokens").where("expires_at_ms", "<=", nowMs).execute();
    const earlier = await tx
      .selectFrom("retry_tokens")
      .select("resource_id")
      .where((eb) => eb.and(key))
      .executeTakeFirst();
    if (earlier !== undefined) {
      const found = await find(tx, earlier.resource_id);
      if (found === undefined) throw new Problem("retry-token-invalidated");
      return found;
    }
    const made = await make(tx);
    const row = { ...key, resource_id: made.id, expires_at_ms: nowMs + limits.retryTokenAgeMsMax };
    await tx.insertInto("retry_tokens").values(row).execute();
    return made;
  });
}
