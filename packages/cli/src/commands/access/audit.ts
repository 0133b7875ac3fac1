import type { AuditEventView } from "@chaya/contract/chaya";
import { parseOcid } from "@chaya/contract/oci";
import { usageError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findCompartment, findUser, openTenancy } from "../../find-identity.ts";
import { wholeNumber } from "../../key-values.ts";
import { nearest } from "../../nearest.ts";
import { table } from "../../table.ts";

const outcomes = ["done", "refused", "unknown"] as const;

export const auditCommands = [
  serverCommand({
    path: "access audit",
    summary: "List what was changed and by whom, newest first.",
    flags: {
      user: { value: "USER", summary: "Only by this user, by name or OCID; or by the function with this OCID." },
      operation: { value: "NAME", summary: "Only this operation, as policies know it: CreateApplication, …" },
      resource: { value: "ID", summary: "Only of this resource, by id or OCID." },
      compartment: { value: "COMPARTMENT", summary: "Only in this compartment, by name, path or OCID." },
      outcome: { value: "OUTCOME", summary: "Only those that are done, refused, or unknown." },
      since: { value: "TIME", summary: "At or after this time (RFC 3339)." },
      until: { value: "TIME", summary: "Before this time (RFC 3339)." },
      limit: { value: "N", summary: "At most so many (30)." },
      cursor: { value: "CURSOR", summary: "Continue where an earlier list ended." },
    },
    examples: ["chaya access audit --user ada --outcome refused"],
    run: async ({ client, print, flags }) => {
      const { user, compartment, operation, resource, since, until, cursor } = flags;
      const outcome = outcomeOf(flags.outcome);
      const limit = wholeNumber(flags.limit, "--limit");
      const principal = user === undefined ? undefined : await principalId(user, () => openTenancy(client));
      const place =
        compartment === undefined ? undefined : await findCompartment(await openTenancy(client), compartment);
      const query = { principal, operation, resource, compartment: place?.id, outcome, since, until, limit, cursor };
      const list = await client.chaya.listAuditEvents(query);
      print(list, () => auditTable(list.items) + nextPage(list.nextCursor));
    },
  }),
];

/** Of a user who is gone there is only the OCID. */
async function principalId(text: string, open: () => ReturnType<typeof openTenancy>): Promise<string> {
  return parseOcid(text) === undefined ? (await findUser(await open(), text)).id : text;
}

function outcomeOf(text: string | undefined): (typeof outcomes)[number] | undefined {
  if (text === undefined) return undefined;
  const outcome = outcomes.find((known) => known === text);
  if (outcome !== undefined) return outcome;
  const guess = nearest(text, outcomes);
  const hint = guess === undefined ? `Known: ${outcomes.join(", ")}.` : `Did you mean ${guess}?`;
  throw usageError(`--outcome '${text}' is not known.`, hint);
}

function auditTable(events: readonly AuditEventView[]): string {
  const rows = events.map((event) => [
    event.at,
    event.principal.name || event.principal.id,
    event.operation,
    event.resourceName ?? event.resourceId ?? event.path,
    event.status ?? "unknown",
    event.problem ?? "",
    event.requestId,
  ]);
  return table(["AT", "PRINCIPAL", "OPERATION", "RESOURCE", "STATUS", "PROBLEM", "REQUEST"], rows);
}

function nextPage(cursor: string | undefined): string {
  return cursor === undefined ? "" : `\nThere are more: --cursor ${cursor}\n`;
}
