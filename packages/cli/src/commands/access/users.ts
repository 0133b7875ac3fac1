import type { UserView } from "@chaya/contract/oci/identity";
import { CliError } from "../../cli-error.ts";
import { serverCommand } from "../../command.ts";
import { findUser, openTenancy, type Tenancy } from "../../find-identity.ts";
import { fields, table } from "../../table.ts";

const USER = { summary: "Name or OCID of the user." } as const;
const settings = {
  description: { value: "TEXT", summary: "What the user is for." },
  email: { value: "ADDRESS", summary: "E-mail address." },
} as const;

export const userCommands = [
  serverCommand({
    path: "access users list",
    summary: "List users.",
    run: async ({ client, print }) => {
      const { id } = await openTenancy(client);
      const users = await client.identity.listUsers({ compartmentId: id });
      const rows = users.map((user) => [user.name, state(user), user.id, user.description]);
      print(users, () => table(["NAME", "STATE", "OCID", "DESCRIPTION"], rows));
    },
  }),
  serverCommand({
    path: "access users get",
    summary: "Show a user and the groups the user is in.",
    arguments: { USER },
    run: async ({ client, print, arguments: words }) => {
      const tenancy = await openTenancy(client);
      const user = await findUser(tenancy, words.USER);
      const groups = await groupNames(tenancy, user.id);
      print({ ...user, groups }, () => userText(user, groups));
    },
  }),
  serverCommand({
    path: "access users create",
    summary: "Create a user, who may do nothing until a group says so.",
    arguments: { USER: { summary: "Name of the new user." } },
    flags: settings,
    examples: ["chaya access users create ada --description 'Ada Lovelace'"],
    run: async ({ client, print, arguments: words, flags }) => {
      const { id } = await openTenancy(client);
      const { description = "", email } = flags;
      const body = { compartmentId: id, name: words.USER, description, ...(email !== undefined && { email }) };
      const user = await client.identity.createUser({ body });
      print(user, () => `Created the user ${user.name} (${user.id}).\n`);
    },
  }),
  serverCommand({
    path: "access users update",
    summary: "Change what is said of a user.",
    arguments: { USER },
    flags: settings,
    run: async ({ client, print, arguments: words, flags: { description, email } }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      const body = { ...(description !== undefined && { description }), ...(email !== undefined && { email }) };
      const user = await client.identity.updateUser({ userId: id, body });
      print(user, () => userText(user, undefined));
    },
  }),
  serverCommand({
    path: "access users delete",
    summary: "Delete a user with the user's keys and tokens.",
    arguments: { USER },
    flags: { yes: { summary: "Take the user out of all groups first, without asking." } },
    run: async ({ client, print, arguments: words, flags }) => {
      const tenancy = await openTenancy(client);
      const user = await findUser(tenancy, words.USER);
      await leaveGroups(tenancy, user, flags.yes);
      await client.identity.deleteUser({ userId: user.id });
      print({ deleted: user.id }, () => `Deleted the user ${user.name}.\n`);
    },
  }),
  serverCommand({
    path: "access users block",
    summary: "Refuse all credentials of a user from now on.",
    arguments: { USER },
    run: async ({ client, print, arguments: words }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      const user = await client.identity.updateUserState({ userId: id, body: { blocked: true } });
      print(user, () => `Blocked ${user.name}.\n`);
    },
  }),
  serverCommand({
    path: "access users unblock",
    summary: "Accept the credentials of a blocked user again.",
    arguments: { USER },
    run: async ({ client, print, arguments: words }) => {
      const { id } = await findUser(await openTenancy(client), words.USER);
      const user = await client.identity.updateUserState({ userId: id, body: { blocked: false } });
      print(user, () => `${user.name} is not blocked any more.\n`);
    },
  }),
  serverCommand({
    path: "access users login-link",
    summary: "Print a link with which a user logs in once, within 10 minutes.",
    arguments: { USER },
    run: async ({ client, print, terminal, arguments: words }) => {
      const user = await findUser(await openTenancy(client), words.USER);
      const link = await client.chaya.createLoginLink({ body: { user: user.id } });
      print(link, () => `${link.url}\n`);
      terminal.stderr.write(`For ${user.name} only, good once and until ${link.expiresAt}: chaya login LINK\n`);
    },
  }),
];

async function groupNames({ client, id }: Tenancy, userId: string): Promise<readonly string[]> {
  const memberships = await client.identity.listUserGroupMemberships({ compartmentId: id, userId });
  const groups = await client.identity.listGroups({ compartmentId: id });
  return groups.filter((group) => memberships.some(({ groupId }) => groupId === group.id)).map(({ name }) => name);
}

async function leaveGroups({ client, id }: Tenancy, user: UserView, isAllowed: boolean): Promise<void> {
  const memberships = await client.identity.listUserGroupMemberships({ compartmentId: id, userId: user.id });
  if (memberships.length > 0 && !isAllowed)
    throw new CliError({
      what: `The user '${user.name}' is in groups.`,
      why: "Whoever is in a group cannot be deleted.",
      hint: `To leave them and go: chaya access users delete ${user.name} --yes`,
    });
  for (const { id: userGroupMembershipId } of memberships)
    await client.identity.removeUserFromGroup({ userGroupMembershipId });
}

function userText(user: UserView, groups: readonly string[] | undefined): string {
  return fields({
    name: user.name,
    ocid: user.id,
    state: state(user),
    description: user.description,
    email: user.email,
    created: user.timeCreated,
    groups: groups && (groups.join(", ") || "none"),
  });
}

function state(user: UserView): string {
  return user.inactiveStatus === undefined ? "active" : "blocked";
}
