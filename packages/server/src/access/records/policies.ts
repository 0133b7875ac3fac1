import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables, PoliciesTable } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import { tenantAdminPolicy } from "../built-in.ts";
import type { IdentityRecord, Tags } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { hasCompartment } from "./compartments.ts";
import { checkRoom } from "./count-rows.ts";
import { type IdentityPage, onPage } from "./identity-page.ts";
import { changedResource, identityOf, newResource, writeTags } from "./resource-columns.ts";
import { type Creation, create } from "./retry-tokens.ts";

export interface PolicyRecord extends IdentityRecord {
  readonly compartmentId: string;
  readonly statements: readonly string[];
  /** As in `2026-11-24`. */
  readonly versionDate: string | undefined;
}

export interface PolicyFields {
  readonly compartmentId: string;
  readonly name: string;
  readonly description: string;
  readonly statements: readonly string[];
  readonly versionDate: string | undefined;
  readonly tags: Tags;
}

export async function readPolicy(db: Kysely<MainTables>, id: string): Promise<PolicyRecord | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom("policies").selectAll().where("id", "=", id).executeTakeFirst();
  return row && policyOf(row);
}

export async function readPolicies(deps: ReadDeps): Promise<readonly PolicyRecord[]> {
  return (await deps.store.db.selectFrom("policies").selectAll().execute()).map(policyOf);
}

/** One more than the page holds when there are more. */
export async function listPolicies(
  deps: ReadDeps,
  filter: { readonly compartmentId: string; readonly name: string | undefined; readonly page: IdentityPage },
): Promise<readonly PolicyRecord[]> {
  const { compartmentId, name, page } = filter;
  let query = deps.store.db.selectFrom("policies").selectAll().where("compartment_id", "=", compartmentId);
  if (name !== undefined) query = query.where("name", "=", name);
  return (await onPage(query, page).execute()).map(policyOf);
}

/**
 * The statements have been parsed. Throws `policy-exists`, `identity-exhausted`, `retry-token-invalidated`,
 * `not-authorized` when the compartment is gone.
 */
export function insertPolicy(
  deps: AccessRecordDeps,
  creation: Creation,
  fields: PolicyFields,
): Promise<Committed<PolicyRecord>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = await readPolicy(tx, id);
      return record && { record };
    },
    make: async (tx) => {
      await checkRoom(tx, { table: "policies", what: "policies", countMax: limits.policiesMax });
      if (!(await hasCompartment(deps, tx, fields.compartmentId))) throw new Problem("not-authorized");
      const { name } = fields;
      const taken = await tx.selectFrom("policies").select("id").where("name", "=", name).executeTakeFirst();
      if (taken !== undefined) throw new Problem("policy-exists", { policy: name });
      const row = newPolicy(deps, fields, creation.createdBy);
      await tx.insertInto("policies").values(row).execute();
      return { id: row.id, record: policyOf(row), changed: { kind: "policy", id: row.id } };
    },
  });
}

export function newPolicy(
  deps: Pick<AccessRecordDeps, "clock" | "newId">,
  fields: PolicyFields,
  createdBy: string,
): PoliciesTable {
  const { compartmentId, name, tags } = fields;
  return { ...newResource(deps, { compartmentId, createdBy, tags }), name, ...changeableColumns(fields) };
}

/**
 * Writes what `change` makes of the record, if that is anything new. Throws `not-authorized`, `etag-mismatch`,
 * `identity-built-in`.
 */
export function updatePolicy(
  deps: AccessRecordDeps,
  { id, checkEtag }: Held,
  change: (before: PolicyRecord) => PolicyRecord,
): Promise<Committed<PolicyRecord>> {
  return commit(deps, async (tx) => {
    const before = await changeablePolicy(tx, { id, checkEtag });
    const columns = changeableColumns(change(before));
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    const row = await tx
      .updateTable("policies")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { record: policyOf(row), changed: { kind: "policy", id } };
  });
}

/** Throws `not-authorized`, `etag-mismatch`, `identity-built-in`. */
export function deletePolicy(deps: AccessRecordDeps, held: Held): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const { id } = await changeablePolicy(tx, held);
    await tx.deleteFrom("policies").where("id", "=", id).execute();
    return { record: undefined, changed: { kind: "policy", id } };
  });
}

async function changeablePolicy(tx: Kysely<MainTables>, { id, checkEtag }: Held): Promise<PolicyRecord> {
  const policy = await readPolicy(tx, id);
  if (policy === undefined) throw new Problem("not-authorized");
  checkEtag(policy.etag);
  if (policy.name === tenantAdminPolicy.name)
    throw new Problem("identity-built-in", { what: `The policy '${policy.name}'` });
  return policy;
}

function changeableColumns(
  policy: Pick<PolicyRecord, "description" | "statements" | "versionDate" | "tags">,
): Pick<PoliciesTable, "description" | "statements" | "version_date" | "tags"> {
  return {
    description: policy.description,
    statements: JSON.stringify(policy.statements),
    version_date: policy.versionDate ?? null,
    tags: writeTags(policy.tags),
  };
}

function policyOf(row: PoliciesTable): PolicyRecord {
  return {
    ...identityOf(row),
    compartmentId: row.compartment_id,
    // Written by `changeableColumns` from this very type.
    statements: JSON.parse(row.statements) as readonly string[],
    versionDate: row.version_date ?? undefined,
  };
}
