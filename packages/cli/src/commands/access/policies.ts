import type { PolicyView } from "@chaya/contract/oci/identity";
import { usageError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findCompartment, findPolicy, openTenancy, type Tenancy } from "../../find-identity.ts";
import { fields, table } from "../../table.ts";
import { visibleText } from "../../visible-text.ts";

const POLICY = { summary: "Name or OCID of the policy." } as const;
const compartment = {
  value: "COMPARTMENT",
  summary: "The compartment it is attached to, by name, path (dev:team) or OCID (root).",
} as const;
const settings = {
  statement: { value: "STATEMENT", isRepeated: true, summary: "Allow group NAME to VERB RESOURCE in …" },
  description: { value: "TEXT", summary: "What the policy is for." },
} as const;
const example = `--statement "Allow group Developers to manage functions-family in compartment dev"`;

export const policyCommands = [
  serverCommand({
    path: "access policies list",
    summary: "List the access policies that are attached to a compartment.",
    flags: { compartment },
    run: async ({ client, print, flags }) => {
      const { id } = await findCompartment(await openTenancy(client), flags.compartment);
      const policies = await client.identity.listPolicies({ compartmentId: id });
      const rows = policies.flatMap(({ name, statements }) =>
        statements.map((statement, index) => [index === 0 ? name : "", statement]),
      );
      print(policies, () => table(["NAME", "STATEMENTS"], rows));
    },
  }),
  serverCommand({
    path: "access policies get",
    summary: "Show an access policy.",
    arguments: { POLICY },
    flags: { compartment },
    run: async ({ client, print, arguments: words, flags }) => {
      const policy = await attached(await openTenancy(client), words.POLICY, flags.compartment);
      print(policy, () => policyText(policy));
    },
  }),
  serverCommand({
    path: "access policies create",
    summary: "Create an access policy.",
    arguments: { POLICY: { summary: "Name of the new policy." } },
    flags: { ...settings, compartment },
    examples: [`chaya access policies create developers ${example}`],
    run: async ({ client, print, arguments: words, flags }) => {
      if (flags.statement.length === 0) throw usageError("--statement is missing.", `Example: ${example}`);
      const { id } = await findCompartment(await openTenancy(client), flags.compartment);
      const { description = "" } = flags;
      const body = { compartmentId: id, name: words.POLICY, description, statements: [...flags.statement] };
      const policy = await client.identity.createPolicy({ body });
      print(policy, () => `Created the policy ${policy.name} (${policy.id}).\n`);
    },
  }),
  serverCommand({
    path: "access policies update",
    summary: "Change an access policy; statements that are given take the place of all it has.",
    arguments: { POLICY },
    flags: { ...settings, compartment },
    run: async ({ client, print, arguments: words, flags: { statement, description, compartment: where } }) => {
      const { id } = await attached(await openTenancy(client), words.POLICY, where);
      const body = {
        ...(statement.length > 0 && { statements: [...statement] }),
        ...(description !== undefined && { description }),
      };
      const policy = await client.identity.updatePolicy({ policyId: id, body });
      print(policy, () => policyText(policy));
    },
  }),
  serverCommand({
    path: "access policies delete",
    summary: "Delete an access policy.",
    arguments: { POLICY },
    flags: { compartment },
    run: async ({ client, print, arguments: words, flags }) => {
      const policy = await attached(await openTenancy(client), words.POLICY, flags.compartment);
      await client.identity.deletePolicy({ policyId: policy.id });
      print({ deleted: policy.id }, () => `Deleted the policy ${policy.name}.\n`);
    },
  }),
];

async function attached(tenancy: Tenancy, nameOrId: string, where: string | undefined): Promise<PolicyView> {
  const { id } = await findCompartment(tenancy, where);
  return await findPolicy(tenancy, id, nameOrId);
}

function policyText(policy: PolicyView): string {
  const { name, id, compartmentId, description, versionDate, timeCreated } = policy;
  const shown = { name, ocid: id, compartment: compartmentId, description, version: versionDate, created: timeCreated };
  return fields(shown) + policy.statements.map((statement) => `  ${visibleText(statement)}\n`).join("");
}
