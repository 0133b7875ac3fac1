import { CliError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findGroup, findUser, openTenancy, type Tenancy } from "../../find-identity.ts";
import { fields, table } from "../../table.ts";

const GROUP = { summary: "Name or OCID of the group." } as const;
const USER = { summary: "Name or OCID of the user." } as const;
const description = { value: "TEXT", summary: "What the group is for." } as const;

export const groupCommands = [
  serverCommand({
    path: "access groups list",
    summary: "List groups.",
    run: async ({ client, print }) => {
      const { id } = await openTenancy(client);
      const groups = await client.identity.listGroups({ compartmentId: id });
      const rows = groups.map((group) => [group.name, group.id, group.description]);
      print(groups, () => table(["NAME", "OCID", "DESCRIPTION"], rows));
    },
  }),
  serverCommand({
    path: "access groups get",
    summary: "Show a group and who is in it.",
    arguments: { GROUP },
    run: async ({ client, print, arguments: words }) => {
      const tenancy = await openTenancy(client);
      const group = await findGroup(tenancy, words.GROUP);
      const users = await userNames(tenancy, group.id);
      const { name, id, timeCreated } = group;
      const shown = { name, ocid: id, description: group.description, created: timeCreated };
      print({ ...group, users }, () => fields({ ...shown, users: users.join(", ") || "none" }));
    },
  }),
  serverCommand({
    path: "access groups create",
    summary: "Create a group, which may do nothing until a policy says so.",
    arguments: { GROUP: { summary: "Name of the new group." } },
    flags: { description },
    run: async ({ client, print, arguments: words, flags }) => {
      const { id } = await openTenancy(client);
      const body = { compartmentId: id, name: words.GROUP, description: flags.description ?? "" };
      const group = await client.identity.createGroup({ body });
      print(group, () => `Created the group ${group.name} (${group.id}).\n`);
    },
  }),
  serverCommand({
    path: "access groups update",
    summary: "Change what is said of a group.",
    arguments: { GROUP },
    flags: { description },
    run: async ({ client, print, arguments: words, flags }) => {
      const { id } = await findGroup(await openTenancy(client), words.GROUP);
      const body = { ...(flags.description !== undefined && { description: flags.description }) };
      const group = await client.identity.updateGroup({ groupId: id, body });
      print(group, () => fields({ name: group.name, ocid: group.id, description: group.description }));
    },
  }),
  serverCommand({
    path: "access groups delete",
    summary: "Delete a group that nobody is in.",
    arguments: { GROUP },
    run: async ({ client, print, arguments: words }) => {
      const group = await findGroup(await openTenancy(client), words.GROUP);
      await client.identity.deleteGroup({ groupId: group.id });
      print({ deleted: group.id }, () => `Deleted the group ${group.name}.\n`);
    },
  }),
  serverCommand({
    path: "access groups add-user",
    summary: "Add a user to a group.",
    arguments: { GROUP, USER },
    examples: ["chaya access groups add-user Developers ada"],
    run: async ({ client, print, arguments: words }) => {
      const { group, user } = await both(await openTenancy(client), words);
      const membership = await client.identity.addUserToGroup({ body: { groupId: group.id, userId: user.id } });
      print(membership, () => `${user.name} is in ${group.name}.\n`);
    },
  }),
  serverCommand({
    path: "access groups remove-user",
    summary: "Remove a user from a group.",
    arguments: { GROUP, USER },
    run: async ({ client, print, arguments: words }) => {
      const tenancy = await openTenancy(client);
      const { group, user } = await both(tenancy, words);
      const query = { compartmentId: tenancy.id, groupId: group.id, userId: user.id };
      const [membership] = await client.identity.listUserGroupMemberships(query);
      if (membership === undefined) throw new CliError({ what: `${user.name} is not in ${group.name}.` });
      await client.identity.removeUserFromGroup({ userGroupMembershipId: membership.id });
      print({ deleted: membership.id }, () => `${user.name} is not in ${group.name} any more.\n`);
    },
  }),
];

async function both(tenancy: Tenancy, words: { readonly GROUP: string; readonly USER: string }) {
  return { group: await findGroup(tenancy, words.GROUP), user: await findUser(tenancy, words.USER) };
}

async function userNames({ client, id }: Tenancy, groupId: string): Promise<readonly string[]> {
  const memberships = await client.identity.listUserGroupMemberships({ compartmentId: id, groupId });
  const users = await client.identity.listUsers({ compartmentId: id });
  return users.filter((user) => memberships.some(({ userId }) => userId === user.id)).map(({ name }) => name);
}
