import type { GroupView } from "@chaya/contract/oci/identity";
import { CliError } from "./cli-error.ts";
import { findGroup, type Tenancy } from "./find-identity.ts";

/** The OCID of the user, made when there is none, as a member of the group Administrators. */
export async function administratorNamed(tenancy: Tenancy, name: string, description: string): Promise<string> {
  const { client, id: compartmentId } = tenancy;
  const group: GroupView = await findGroup(tenancy, "Administrators");
  const [known] = await client.identity.listUsers({ compartmentId, name });
  const user = known ?? (await client.identity.createUser({ body: { compartmentId, name, description } }));
  const ids = { userId: user.id, groupId: group.id };
  const [member] = await client.identity.listUserGroupMemberships({ compartmentId, ...ids });
  if (member === undefined) await client.identity.addUserToGroup({ body: ids });
  if (user.inactiveStatus !== undefined)
    throw new CliError({
      what: `The user '${name}' is blocked.`,
      hint: `Lift that with: chaya access users unblock ${name} — or name another with --user`,
    });
  return user.id;
}
