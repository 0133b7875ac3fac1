import type { ExpressionBuilder, ReferenceExpression } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { StoredApplication, StoredFunction } from "../model.ts";
import { storedApplicationOf } from "./applications.ts";
import type { ReadDeps } from "./commit.ts";
import { storedFunctionOf } from "./functions.ts";

/** Which records of their owner, and from where on. One more than `itemsMax` is read, to tell whether there are more. */
export interface OciList {
  readonly displayName: string | undefined;
  readonly id: string | undefined;
  readonly order: OciOrder;
  readonly after: OciPosition | undefined;
  readonly itemsMax: number;
}

export interface OciOrder {
  readonly by: "displayName" | "timeCreated" | "id";
  readonly isDescending: boolean;
}

/** Where a page ended: the value it is ordered by, and the id among equals. */
export interface OciPosition {
  readonly value: string | number;
  readonly id: string;
}

const orderColumns = { displayName: "name", timeCreated: "created_at_ms", id: "id" } as const;

export async function listApplicationsOf(
  deps: ReadDeps,
  compartmentId: string,
  list: OciList,
): Promise<readonly StoredApplication[]> {
  const direction = list.order.isDescending ? "desc" : "asc";
  const rows = await deps.store.db
    .selectFrom("applications")
    .selectAll()
    .where("compartment_id", "=", compartmentId)
    .where((eb) => listed<"applications">(eb, list))
    .orderBy(orderColumns[list.order.by], direction)
    .orderBy("id", direction)
    .limit(list.itemsMax + 1)
    .execute();
  return rows.map(storedApplicationOf);
}

export async function listFunctionsOf(
  deps: ReadDeps,
  applicationId: string,
  list: OciList,
): Promise<readonly StoredFunction[]> {
  const direction = list.order.isDescending ? "desc" : "asc";
  const rows = await deps.store.db
    .selectFrom("functions")
    .selectAll()
    .where("application_id", "=", applicationId)
    .where((eb) => listed<"functions">(eb, list))
    .orderBy(orderColumns[list.order.by], direction)
    .orderBy("id", direction)
    .limit(list.itemsMax + 1)
    .execute();
  return rows.map(storedFunctionOf);
}

/** Both tables have the columns that are named here. */
function listed<Table extends "applications" | "functions">(
  eb: ExpressionBuilder<MainTables, Table>,
  { displayName, id, order, after }: OciList,
) {
  const column = (name: "name" | "id" | "created_at_ms") => name as ReferenceExpression<MainTables, Table>;
  const conditions = [];
  if (displayName !== undefined) conditions.push(eb(column("name"), "=", displayName));
  if (id !== undefined) conditions.push(eb(column("id"), "=", id));
  if (after !== undefined) {
    const beyond = order.isDescending ? "<" : ">";
    const ordered = column(orderColumns[order.by]);
    const amongEquals = eb.and([eb(ordered, "=", after.value), eb(column("id"), beyond, after.id)]);
    conditions.push(eb.or([eb(ordered, beyond, after.value), amongEquals]));
  }
  return eb.and(conditions);
}
