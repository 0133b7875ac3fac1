import { idOf, ocidOf } from "@chaya/contract/oci";
import type { Place } from "../../http/authorize.ts";
import type { OpenAccessDirectory } from "../directory.ts";

/** Where the resources of identity are asked for, by id or OCID; what does not exist, in the root compartment. */
export interface IdentityPlaces {
  readonly root: Place;
  /** In it. */
  compartment(id: string): Place;
  /** Where it lies itself: who changes it needs the right there. */
  parentOf(id: string): Place;
  user(text: string): Place;
  /** A user, who needs no policy there for what is the user's own. */
  ownUser(text: string): Place;
  group(text: string): Place;
  dynamicGroup(text: string): Place;
  policy(text: string): Place;
  /** A group and a user at once. */
  membership(of: { readonly userId?: string | undefined; readonly groupId?: string | undefined }): Place;
}

export function createIdentityPlaces(directory: OpenAccessDirectory): IdentityPlaces {
  const root: Place = { compartmentId: directory.rootId };
  const userTarget = (text: string | undefined) => {
    const user = text === undefined ? undefined : directory.user(idOf("user", text) ?? "");
    return user && { "user.id": ocidOf("user", user.id, ""), "user.name": user.name };
  };
  const groupTarget = (text: string | undefined) => {
    const group = text === undefined ? undefined : directory.group(idOf("group", text) ?? "");
    return group && { "group.id": ocidOf("group", group.id, ""), "group.name": group.name };
  };
  const compartment = (id: string): Place => (directory.compartment(id) === undefined ? root : { compartmentId: id });
  const user = (text: string): Place => ({ ...root, target: { ...userTarget(text) } });
  return {
    root,
    compartment,
    parentOf: (id) => compartment(directory.compartment(id)?.parentId ?? directory.rootId),
    user,
    ownUser: (text) => ({ ...user(text), ownedBy: idOf("user", text) ?? "" }),
    group: (text) => ({ ...root, target: { ...groupTarget(text) } }),
    dynamicGroup: (text) => {
      const group = directory.dynamicGroup(idOf("dynamicgroup", text) ?? "");
      if (group === undefined) return root;
      const { id, name } = group;
      return { ...root, target: { "dynamicgroup.id": ocidOf("dynamicgroup", id, ""), "dynamicgroup.name": name } };
    },
    policy: (text) => {
      const policy = directory.policy(idOf("policy", text) ?? "");
      if (policy === undefined) return root;
      const { id, name, compartmentId } = policy;
      return { compartmentId, target: { "policy.id": ocidOf("policy", id, ""), "policy.name": name } };
    },
    membership: ({ userId, groupId }) => ({ ...root, target: { ...userTarget(userId), ...groupTarget(groupId) } }),
  };
}
