import type { DynamicGroupView } from "@chaya/contract/oci/identity";
import { usageError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findDynamicGroup, openTenancy } from "../../find-identity.ts";
import { fields, table } from "../../table.ts";

const GROUP = { summary: "Name or OCID of the dynamic group." } as const;
const settings = {
  rule: { value: "RULE", summary: "Which functions are in it: ALL {…} or ANY {…}." },
  description: { value: "TEXT", summary: "What the dynamic group is for." },
} as const;
const example = `"ALL {resource.type = 'fnfunc', resource.compartment.id = 'OCID'}"`;

export const dynamicGroupCommands = [
  serverCommand({
    path: "access dynamic-groups list",
    summary: "List dynamic groups.",
    run: async ({ client, print }) => {
      const { id } = await openTenancy(client);
      const groups = await client.identity.listDynamicGroups({ compartmentId: id });
      const rows = groups.map((group) => [group.name, group.id, group.matchingRule]);
      print(groups, () => table(["NAME", "OCID", "RULE"], rows));
    },
  }),
  serverCommand({
    path: "access dynamic-groups get",
    summary: "Show a dynamic group.",
    arguments: { GROUP },
    run: async ({ client, print, arguments: words }) => {
      const group = await findDynamicGroup(await openTenancy(client), words.GROUP);
      print(group, () => groupText(group));
    },
  }),
  serverCommand({
    path: "access dynamic-groups create",
    summary: "Create a group of the functions that a rule matches.",
    arguments: { GROUP: { summary: "Name of the new dynamic group." } },
    flags: settings,
    examples: [`chaya access dynamic-groups create workers --rule ${example}`],
    run: async ({ client, print, arguments: words, flags: { rule, description = "" } }) => {
      if (rule === undefined) throw usageError("--rule is missing.", `Example: --rule ${example}`);
      const { id } = await openTenancy(client);
      const body = { compartmentId: id, name: words.GROUP, description, matchingRule: rule };
      const group = await client.identity.createDynamicGroup({ body });
      print(group, () => `Created the dynamic group ${group.name} (${group.id}).\n`);
    },
  }),
  serverCommand({
    path: "access dynamic-groups update",
    summary: "Change the rule of a dynamic group, or what is said of it.",
    arguments: { GROUP },
    flags: settings,
    run: async ({ client, print, arguments: words, flags: { rule, description } }) => {
      const { id } = await findDynamicGroup(await openTenancy(client), words.GROUP);
      const body = {
        ...(rule !== undefined && { matchingRule: rule }),
        ...(description !== undefined && { description }),
      };
      const group = await client.identity.updateDynamicGroup({ dynamicGroupId: id, body });
      print(group, () => groupText(group));
    },
  }),
  serverCommand({
    path: "access dynamic-groups delete",
    summary: "Delete a dynamic group.",
    arguments: { GROUP },
    run: async ({ client, print, arguments: words }) => {
      const group = await findDynamicGroup(await openTenancy(client), words.GROUP);
      await client.identity.deleteDynamicGroup({ dynamicGroupId: group.id });
      print({ deleted: group.id }, () => `Deleted the dynamic group ${group.name}.\n`);
    },
  }),
];

function groupText(group: DynamicGroupView): string {
  const { name, id, matchingRule, description, timeCreated } = group;
  return fields({ name, ocid: id, rule: matchingRule, description, created: timeCreated });
}
