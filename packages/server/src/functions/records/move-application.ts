import { Problem } from "@chaya/contract";
import type { StoredApplication } from "../model.ts";
import { holdApplication, holdCompartment } from "./applications.ts";
import { type Committed, commit, type RecordDeps } from "./commit.ts";
import { changedResource } from "./resource-columns.ts";

export interface ApplicationMove {
  readonly compartmentId: string;
  /** Throws when what is about to be moved, and can change no more, is not what the caller meant. */
  readonly check: (before: StoredApplication) => void;
}

/**
 * Moves an application and what is in it to another compartment. Throws `application-not-found`, `not-authorized` when
 * the compartment is gone, and what `check` throws.
 */
export function moveApplication(
  deps: RecordDeps,
  id: string,
  { compartmentId, check }: ApplicationMove,
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    await holdCompartment(deps, tx, compartmentId);
    const before = await holdApplication(tx, id);
    if (before === undefined) throw new Problem("application-not-found", { application: id });
    check(before);
    if (before.compartmentId === compartmentId) return { record: undefined };
    const moved = { compartment_id: compartmentId, ...changedResource(deps, before) };
    await tx.updateTable("applications").set(moved).where("id", "=", id).execute();
    // A function shows its compartment, so it has changed too; its version, for which instances are replaced, has not.
    const inside = { compartment_id: compartmentId, etag: deps.newId() };
    await tx.updateTable("functions").set(inside).where("application_id", "=", id).execute();
    await tx.updateTable("triggers").set(inside).where("application_id", "=", id).execute();
    return { record: undefined, changed: { kind: "application", id } };
  });
}
